"""A ZooKeeper ensemble of three whose quorum, election and clients go over proxies with mutual TLS,
as doc/systems.md has it. The servers speak plaintext to addresses of their own hosts alone.

FLOW_LONG=1: the proxy of each host is killed in turn.
"""

import importlib.util
import os

import pytest

from harness import client, gate, systems_doc, zookeeper
from harness.java_clients import keystore, truststore
from harness.tools import run
from harness.waiting import until
from harness.zookeeper import PATIENT, Ensemble, Writer

MISSING = [package for package, there in (
    ("libzookeeper-java", (zookeeper.JARS / "zookeeper.jar").exists()),
    ("python3-kazoo", importlib.util.find_spec("kazoo"))) if not there]
pytestmark = [
    pytest.mark.systems,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]
if not MISSING:
    from kazoo.client import KazooClient
    from kazoo.handlers.threading import KazooTimeoutError

ORDERLY = {"done", "client-cut", "client-reset", "upstream-reset"}


@pytest.fixture(scope="module")
def ensemble(certs, tmp_path_factory):
    made = Ensemble(tmp_path_factory.mktemp("zookeeper"), certs)
    yield made
    made.close()


@pytest.fixture(scope="module")
def app(certs):
    return certs.issue("zk-app", "app")


@pytest.fixture
def connected(request):
    """connected(client): started, and ended with the test. It notes what befalls it."""
    def start(made):
        request.addfinalizer(made.close)
        request.addfinalizer(made.stop)
        made.start(timeout=PATIENT)
        made.befell = []
        made.add_listener(lambda state: made.befell.append(str(state)))
        return made
    return start


@pytest.fixture
def kazoo(ensemble, app, certs, connected):
    """As the document has it: over TLS, to all three."""
    text, = systems_doc.blocks("ZooKeeper", "python")
    text = ensemble.here(text, **{"ca.crt": str(certs.ca.cert), "app.crt": str(app.cert),
                                  "app.key": str(app.key)})
    return connected(eval(text, {"KazooClient": KazooClient}))  # noqa: S307  (our own document)


def plain(host, connected):
    """A client on that server's own host."""
    return connected(KazooClient(f"{host.inner}:2181"))


def written(host, root, connected):
    """What that server has."""
    seen = plain(host, connected)
    seen.sync(root)
    return sorted(seen.get_children(root))


def test_what_one_wrote_the_others_have(ensemble, kazoo, connected):
    kazoo.create("/shared", b"value " * 100_000)
    for host in ensemble.hosts:
        local = plain(host, connected)
        local.sync("/shared")
        assert local.get("/shared")[0] == b"value " * 100_000


def test_the_client_of_java(ensemble, kazoo, app, certs, tmp_path):
    """With stores of keytool, as the document has it. It checks the address it dialled."""
    kazoo.create("/color", b"green")
    keystore(tmp_path / "app.p12", app)
    truststore(tmp_path, certs.ca)
    command, = systems_doc.blocks("ZooKeeper", "sh")
    _, *args = systems_doc.command(ensemble.here(command))
    done = run("env", "-C", tmp_path, *zookeeper.java(*args))
    assert "green" in done.stdout.splitlines(), done.stdout + done.stderr
    host = ensemble.hosts[0]
    line = host.gate.await_access(route="clients", identity="cn:app")
    assert line["reason"] in ORDERLY and line["tls"] in ("TLSv1.2", "TLSv1.3")


def test_a_client_in_plaintext(ensemble, app, certs, sallyport, connected, tmp_path):
    """Through a proxy on its own host, which knows all three."""
    _, text = systems_doc.blocks("ZooKeeper", "ini")
    local = systems_doc.network() + ".1"
    text = ensemble.here(text, **{"127.0.0.1": local})
    systems_doc.put(tmp_path / "ca.crt", certs.ca.cert)
    systems_doc.put(tmp_path / "app.crt", app.cert)
    systems_doc.put(tmp_path / "app.key", app.key)
    sallyport(zookeeper.BRIEF + text)
    seen = connected(KazooClient(f"{local}:2181"))
    seen.create("/plain", b"from a client without TLS")
    assert seen.get("/plain")[0] == b"from a client without TLS"


def test_through_a_reload(ensemble, kazoo, connected):
    """All three proxies get new certificates under writes: no election, no connection ends."""
    before = ensemble.await_quorum(ensemble.hosts)
    lines = {h: h.ended("quorum", "election") for h in ensemble.hosts}
    writer = Writer(kazoo, "/reload")
    writer.await_writes(20)
    for host in ensemble.hosts:
        host.show(ensemble.certs, "then")
        host.gate.await_message(r"\[store zk\].* replaced: serial")
        writer.await_writes(20)
    names = writer.stop()
    assert ensemble.await_quorum(ensemble.hosts) == before
    assert (writer.lost, kazoo.befell) == ([], [])
    for host in ensemble.hosts:
        assert host.ended("quorum", "election") == lines[host]
        assert written(host, "/reload", connected) == names


def lose_and_regain(ensemble, host, kazoo, connected, root):
    """The proxy of that host is killed, and started anew, under writes."""
    others = [h for h in ensemble.hosts if h is not host]
    writer = Writer(kazoo, root)
    writer.await_writes(20)
    host.gate.vanish()
    ensemble.await_quorum(others)
    writer.await_writes(50)
    until("alone it serves nobody", lambda: not ensemble.roles([host]), patience=PATIENT)
    ensemble.start_gate(host)
    ensemble.await_quorum(ensemble.hosts)
    writer.await_writes(20)
    names = writer.stop()
    for one in ensemble.hosts:
        assert set(names) <= set(written(one, root, connected)), "what was acknowledged is there"


@pytest.mark.parametrize("role", ["follower", "leader"])
def test_the_loss_of_one_proxy(ensemble, kazoo, connected, role):
    leader = ensemble.leader()
    host = leader if role == "leader" else next(h for h in ensemble.hosts if h is not leader)
    lose_and_regain(ensemble, host, kazoo, connected, f"/loss-of-{role}")


@pytest.mark.skipif(not os.environ.get("FLOW_LONG"), reason="FLOW_LONG=1 runs it")
@pytest.mark.seconds(900)
def test_the_loss_of_each_proxy(ensemble, kazoo, connected):
    for turn in range(6):
        host = ensemble.hosts[turn % 3]
        lose_and_regain(ensemble, host, kazoo, connected, f"/loss-{turn}")


# --- who is refused ---

@pytest.mark.parametrize("port, route", [(2888, "quorum"), (3888, "election"), (2181, "clients")])
def test_without_a_certificate(ensemble, certs, port, route):
    host = ensemble.hosts[0]
    got = client.outcome((host.public, port), certs, check=False)
    assert got == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    line = host.gate.await_access(route=route, reason="handshake-failed")
    assert (line["cause"], line["side"]) == ("no-client-certificate", "client")


@pytest.mark.parametrize("port, route", [(2888, "quorum"), (3888, "election")])
def test_clients_are_no_servers(ensemble, certs, app, port, route):
    """A certificate of the same CA that is good for the service is none for the quorum."""
    host = ensemble.hosts[1]
    client.outcome((host.public, port), certs, client=app, check=False)
    line = host.gate.await_access(route=route, reason="client-denied")
    assert line["identity"] == "cn:app" and "zk*.example.com" in line["rule"]


def test_kazoo_without_a_certificate(ensemble, certs):
    host = ensemble.hosts[2]
    with pytest.raises(KazooTimeoutError):
        made = KazooClient(f"{host.public}:2181", use_ssl=True, ca=str(certs.ca.cert))
        made.start(timeout=3)
    host.gate.await_access(route="clients", cause="no-client-certificate")


def test_the_document_is_sound(ensemble):
    for host in ensemble.hosts:
        done = gate.run("check", "-c", host.path)
        assert done.returncode == 0, done.stdout + done.stderr


def test_last_who_spoke_to_whom(ensemble):
    """When the servers stop, the proxies tell who the peers were, by their certificates."""
    leader = ensemble.leader()
    for host in ensemble.hosts:
        host.server.close()
    for host in ensemble.hosts:
        host.gate.process.terminate()
        host.gate.wait()

    def peers(host, route):
        """Those that said something. Of a pair that dials each other one gives way at once."""
        return {r["identity"] for r in host.ended(route)
                if int(r.get("bytes_out", 0)) > 0}

    names = {h: f"cn:zk{h.number}" for h in ensemble.hosts}
    assert peers(leader, "quorum") == {names[h] for h in ensemble.hosts if h is not leader}
    for i, host in enumerate(ensemble.hosts):
        assert {names[h] for h in ensemble.hosts[i + 1:]} <= peers(host, "election")
