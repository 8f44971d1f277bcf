"""A ZooKeeper ensemble of three whose quorum, election and clients go over proxies with mutual TLS,
as doc/systems.md has it, each on a host with a network of its own.

FLOW_LONG=1: the proxy of each host is killed in turn.
"""

import importlib.util
import itertools
import os

import pytest

from harness import client, gate, hosts, systems_doc, zookeeper
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
    pytest.mark.skipif(bool(hosts.missing()), reason=str(hosts.missing())),
]
if not MISSING:
    from kazoo.client import KazooClient
    from kazoo.handlers.threading import KazooTimeoutError

ORDERLY = {"done", "client-cut", "client-reset", "upstream-reset"}


@pytest.fixture(scope="module")
def ensemble(certs, tmp_path_factory):
    """The three; the tests themselves are on a fourth host, 192.0.2.1."""
    made = Ensemble(tmp_path_factory.mktemp("zookeeper"), certs)
    try:
        with made.switch.entered():
            yield made
    finally:
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
    text = systems_doc.exchange(text, {"ca.crt": str(certs.ca.cert), "app.crt": str(app.cert),
                                       "app.key": str(app.key)})
    return connected(eval(text, {"KazooClient": KazooClient}))  # noqa: S307  (our own document)


def plain(node, connected):
    """A client on that server's own host."""
    with node.host.entered():
        return connected(KazooClient(f"{node.inner}:2181"))


def written(node, root, connected):
    """What that server has."""
    seen = plain(node, connected)
    seen.sync(root)
    return sorted(seen.get_children(root))


def test_what_one_wrote_the_others_have(ensemble, kazoo, connected):
    kazoo.create("/shared", b"value " * 100_000)
    for node in ensemble.nodes:
        local = plain(node, connected)
        local.sync("/shared")
        assert local.get("/shared")[0] == b"value " * 100_000


def test_the_client_of_java(ensemble, kazoo, app, certs, tmp_path):
    """With stores of keytool, as the document has it. It checks the address it dialled."""
    kazoo.create("/color", b"green")
    keystore(tmp_path / "app.p12", app)
    truststore(tmp_path, certs.ca)
    command, = systems_doc.blocks("ZooKeeper", "sh")
    _, *args = systems_doc.command(command)
    done = run("env", "-C", tmp_path, *zookeeper.java(*args))
    assert "green" in done.stdout.splitlines(), done.stdout + done.stderr
    node = ensemble.nodes[0]
    line = node.gate.await_access(route="clients", identity="cn:app")
    assert line["reason"] in ORDERLY and line["tls"] in ("TLSv1.2", "TLSv1.3")


def test_a_client_in_plaintext(ensemble, app, certs, sallyport, connected, tmp_path):
    """Through a proxy on its own host, which knows all three."""
    _, text = systems_doc.blocks("ZooKeeper", "ini")
    systems_doc.put(tmp_path / "ca.crt", certs.ca.cert)
    systems_doc.put(tmp_path / "app.crt", app.cert)
    systems_doc.put(tmp_path / "app.key", app.key)
    sallyport(zookeeper.BRIEF + text)
    seen = connected(KazooClient("127.0.0.1:2181"))
    seen.create("/plain", b"from a client without TLS")
    assert seen.get("/plain")[0] == b"from a client without TLS"


def test_through_a_reload(ensemble, kazoo, connected):
    """All three proxies get new certificates under writes: no election, no connection ends."""
    before = ensemble.await_quorum(ensemble.nodes)
    lines = {h: h.ended("quorum", "election") for h in ensemble.nodes}
    writer = Writer(kazoo, "/reload")
    writer.await_writes(20)
    for node in ensemble.nodes:
        node.show(ensemble.certs, "then")
        node.gate.await_message(r"\[store zk\].* replaced: serial")
        writer.await_writes(20)
    names = writer.stop()
    assert ensemble.await_quorum(ensemble.nodes) == before
    assert (writer.lost, kazoo.befell) == ([], [])
    for node in ensemble.nodes:
        assert node.ended("quorum", "election") == lines[node]
        assert written(node, "/reload", connected) == names


def lose_and_regain(ensemble, node, kazoo, connected, root):
    """The proxy of that host is killed, and started anew, under writes."""
    others = [h for h in ensemble.nodes if h is not node]
    writer = Writer(kazoo, root)
    writer.await_writes(20)
    node.gate.vanish()
    ensemble.await_quorum(others)
    writer.await_writes(50)
    until("alone it serves nobody", lambda: not ensemble.roles([node]), patience=PATIENT)
    ensemble.start_gate(node)
    ensemble.await_quorum(ensemble.nodes)
    writer.await_writes(20)
    names = writer.stop()
    for one in ensemble.nodes:
        assert set(names) <= set(written(one, root, connected)), "what was acknowledged is there"


@pytest.mark.parametrize("role", ["follower", "leader"])
def test_the_loss_of_one_proxy(ensemble, kazoo, connected, role):
    leader = ensemble.leader()
    node = leader if role == "leader" else next(h for h in ensemble.nodes if h is not leader)
    lose_and_regain(ensemble, node, kazoo, connected, f"/loss-of-{role}")


@pytest.mark.skipif(not os.environ.get("FLOW_LONG"), reason="FLOW_LONG=1 runs it")
@pytest.mark.seconds(900)
def test_the_loss_of_each_proxy(ensemble, kazoo, connected):
    for turn in range(6):
        node = ensemble.nodes[turn % 3]
        lose_and_regain(ensemble, node, kazoo, connected, f"/loss-{turn}")


def test_nothing_is_readable_on_the_wire(ensemble, kazoo, connected):
    """A value goes to all servers, and none of it is seen between the hosts."""
    with hosts.Wire() as wire:
        kazoo.create("/secret", b"not for the wire " * 100)
        for node in ensemble.nodes:
            local = plain(node, connected)
            local.sync("/secret")
            assert local.get("/secret")[0] == b"not for the wire " * 100
    seen = wire.seen()
    assert len(seen) > 3 * 1700 and b"\x17\x03\x03" in seen
    assert b"not for the wire" not in seen and b"/secret" not in seen


# --- who is refused ---

@pytest.mark.parametrize("port, route", [(2888, "quorum"), (3888, "election"), (2181, "clients")])
def test_without_a_certificate(ensemble, certs, port, route):
    node = ensemble.nodes[0]
    got = client.outcome((node.public, port), certs, check=False)
    assert got == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    line = node.gate.await_access(route=route, reason="handshake-failed")
    assert (line["cause"], line["side"]) == ("no-client-certificate", "client")


@pytest.mark.parametrize("port, route", [(2888, "quorum"), (3888, "election")])
def test_clients_are_no_servers(ensemble, certs, app, port, route):
    """A certificate of the same CA that is good for the service is none for the quorum."""
    node = ensemble.nodes[1]
    client.outcome((node.public, port), certs, client=app, check=False)
    line = node.gate.await_access(route=route, reason="client-denied")
    assert line["identity"] == "cn:app" and "zk*.example.com" in line["rule"]


def test_kazoo_without_a_certificate(ensemble, certs):
    node = ensemble.nodes[2]
    with pytest.raises(KazooTimeoutError):
        made = KazooClient(f"{node.public}:2181", use_ssl=True, ca=str(certs.ca.cert))
        made.start(timeout=3)
    node.gate.await_access(route="clients", cause="no-client-certificate")


def test_the_document_is_sound(ensemble):
    for node in ensemble.nodes:
        done = gate.run("check", "-c", node.path)
        assert done.returncode == 0, done.stdout + done.stderr


def test_last_who_spoke_to_whom(ensemble):
    """When the servers stop, the proxies tell who the peers were, by their certificates."""
    leader = ensemble.leader()
    for node in ensemble.nodes:
        node.server.close()
    for node in ensemble.nodes:
        node.gate.process.terminate()
        node.gate.wait()

    def heard(node, route):
        """Of the peers that dialled this one."""
        return {r["identity"] for r in node.ended(route) if int(r.get("bytes_in", 0)) > 0}

    names = {h: f"cn:zk{h.number}" for h in ensemble.nodes}
    followers = {names[h] for h in ensemble.nodes if h is not leader}
    assert followers <= heard(leader, "quorum") <= set(names.values())
    for one, other in itertools.combinations(ensemble.nodes, 2):
        assert names[one] in heard(other, "election") or names[other] in heard(one, "election")
