"""etcd as doc/systems.md has it: the service in plaintext, its clients with certificates through
routes of the proxy. etcdctl (Go) and python3-etcd3 (gRPC's C core) are the clients."""

import importlib.util
import pathlib
import shutil
import subprocess
import sys

import pytest

from harness import systems_doc
from harness.jobs import Jobs
from harness.processes import Process
from harness.tools import run
from harness.waiting import until

MISSING = [package for package, there in (
    ("etcd-server", shutil.which("etcd")), ("etcd-client", shutil.which("etcdctl")),
    ("python3-etcd3", importlib.util.find_spec("etcd3"))) if not there]
pytestmark = [
    pytest.mark.systems,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]
ORDERLY = {"done", "client-cut", "client-reset"}        # the client ended it


class Deployment:
    """What the section of the document sets up, on addresses of its own."""

    def __init__(self, folder, certs):
        net = systems_doc.network()
        self.host, self.folder = f"{net}.10", folder
        self.pairs = {"192.0.2.10": self.host, "127.0.0.1": f"{net}.1"}
        self.daemon, self.ctl, self.curl = (
            systems_doc.command(self.here(text)) for text in systems_doc.blocks("etcd", "sh"))
        self.now, self.then = (
            certs.issue(f"etcd-{net}-{when}", "node", usage="serverAuth",
                        names=f"IP:{self.host}") for when in ("now", "then"))
        systems_doc.put(folder / "ca.crt", certs.ca.cert)
        self.show(self.now)
        text, = systems_doc.blocks("etcd", "ini")
        self.text = "[proxy]\ndrain_timeout = 5s\n\n" + self.here(text)

    def here(self, text):
        return systems_doc.exchange(text, {k: v for k, v in self.pairs.items() if k in text})

    def show(self, pair):
        systems_doc.put(self.folder / "node.key", pair.key)
        systems_doc.put(self.folder / "node.crt", pair.cert)

    def etcdctl(self, certs, who, *words):
        """The document's command line, with this certificate and these words at its end."""
        return [*self.tls(self.ctl[:-3], certs, who), *words]

    def tls(self, args, certs, who):
        files = {"ca.crt": certs.ca.cert, "planner.crt": who and who.cert,
                 "planner.key": who and who.key}
        made = []
        for arg in args:
            for name, path in files.items():
                if arg == name or arg.endswith(f"={name}"):
                    arg = arg.removesuffix(name) + str(path) if path else None
                    break
            made.append(arg)
        return [arg for arg in made if arg is not None]


@pytest.fixture(scope="module")
def people(certs):
    return {who: certs.issue(f"etcd-{who}", who) for who in ("planner", "watcher", "viewer")}


@pytest.fixture(scope="module")
def python():
    running = Jobs(sys.executable, "-m", "harness.etcd_peer", cwd=pathlib.Path(__file__).parent)
    yield running
    running.close()


@pytest.fixture
def etcd(sallyport, certs, tmp_path, request):
    """The proxy, and behind it etcd, which is ready."""
    made = Deployment(tmp_path, certs)
    daemon = Process("etcd", [*made.daemon, "--unsafe-no-fsync"], tmp_path)
    request.addfinalizer(daemon.close)
    made.gate = sallyport(made.text)
    daemon.await_words("ready to serve")
    return made


def connect(python, etcd, certs, name, pair):
    python.do("connect", client=name, host=etcd.host, port=2379, ca=certs.ca.cert,
              cert=pair.cert, key=pair.key)
    return name


def test_put_and_get(etcd, python, certs, people):
    """What one client wrote the other reads; the command of the document, and a value of 1 MiB."""
    done = run(*etcd.tls(etcd.ctl, certs, people["planner"]))
    assert (done.returncode, done.stdout) == (0, "OK\n"), done.stderr
    line = etcd.gate.await_access(route="etcd", identity="cn:planner")
    assert line["alpn"] == "h2" and line["reason"] in ORDERLY

    viewer = connect(python, etcd, certs, "viewer-1", people["viewer"])
    assert python.do("get", client=viewer, key="color") == {"value": "green"}
    assert python.do("members", client=viewer) == {"urls": f"https://{etcd.host}:2379"}
    python.do("put", client=viewer, key="large", size=1 << 20)
    python.do("close", client=viewer)
    done = run(*etcd.etcdctl(certs, people["planner"], "get", "large", "--print-value-only"))
    assert done.stdout == "x" * (1 << 20) + "\n", done.stderr
    line = etcd.gate.await_access(route="etcd", identity="cn:viewer")
    assert line["alpn"] == "h2" and int(line["bytes_in"]) > 1 << 20


def test_health_by_http(etcd, certs, people):
    done = run(*etcd.tls(etcd.curl, certs, people["planner"]))
    assert '"health":"true"' in done.stdout.replace(" ", ""), done.stderr
    assert etcd.gate.await_access(route="etcd-http")["alpn"] == "http/1.1"


def test_watches_survive_a_reload(etcd, python, certs, people):
    """Two watches follow a key while the certificate is replaced: every value arrives, in order,
    on the connections that they had before."""
    gate, key = etcd.gate, "counter"
    ctl = Process("watch", etcd.etcdctl(certs, people["watcher"], "watch", key), etcd.folder)
    try:
        viewer = connect(python, etcd, certs, "viewer-2", people["viewer"])
        python.do("watch", client=viewer, watch="counter", key=key)
        writer = connect(python, etcd, certs, "writer-2", people["planner"])

        def watching():
            """A watch sees what comes after it was made."""
            python.do("put", client=writer, key=key, value="start")
            return ctl.says("start")

        until("etcdctl watches", watching)
        python.do("count", client=writer, key=key, first=1, last=100)
        written = python.begin("count", client=writer, key=key, first=101, last=600)
        etcd.show(etcd.then)
        gate.await_message(r"\[store node\].* replaced: serial")
        written.result(60)
        python.do("count", client=writer, key=key, first=601, last=700)
        assert served_by(etcd, certs, people["planner"]) == etcd.then.serial

        numbers = [str(i) for i in range(1, 701)]
        values = python.do("seen", watch="counter", last="700")["values"].split()
        assert [v for v in values if v != "start"] == numbers
        until("etcdctl saw the last", lambda: ctl.says("\n700\n"))
        said = ctl.end().splitlines()
        assert [line for line in said if line.isdigit()] == numbers
    finally:
        ctl.close()
    lines = [gate.await_access(route="etcd", identity="cn:watcher")]
    for client, who in ((viewer, "viewer"), (writer, "planner")):
        python.do("close", client=client)
        lines.append(gate.await_access(route="etcd", identity=f"cn:{who}", alpn="h2"))
    assert {line["reason"] for line in lines} <= ORDERLY

    def handed():
        return [r for r in gate.records if r.get("route") == "etcd" and "reason" in r]

    # The one that looked shows the writer's certificate, too: any of the two may be told first.
    until("three connections for the whole time, and one that looked", lambda: len(handed()) >= 4)
    assert len(handed()) == 4


def served_by(etcd, certs, pair):
    """The serial number of what a newcomer is shown."""
    done = run("openssl", "s_client", "-connect", f"{etcd.host}:2379", "-alpn", "h2",
               "-CAfile", certs.ca.cert, "-cert", pair.cert, "-key", pair.key)
    shown = run("openssl", "x509", "-noout", "-serial", stdin=done.stdout)
    return shown.stdout.strip().removeprefix("serial=")


@pytest.mark.parametrize("who, cause", [
    (None, "no-client-certificate"), ("mallory", "client-certificate-unknown-issuer")])
def test_without_the_right_certificate(etcd, certs, who, cause):
    """Neither gets a word to etcd, and the log says why."""
    pair = who and certs.client_other_ca
    done = run(*etcd.etcdctl(certs, pair, "--dial-timeout=2s", "--command-timeout=2s",
                             "get", "color"))
    assert done.returncode != 0
    line = etcd.gate.await_access(route="etcd", reason="handshake-failed")
    assert (line["cause"], line["side"]) == (cause, "client")
    assert "Test CA" in line["what"] or "Other CA" in line["what"]
    assert not etcd.gate.has(route="etcd", reason="done")
