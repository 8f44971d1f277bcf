"""JMX over a pair of proxies, as doc/systems.md has it: a JVM in plaintext on one host, clients in
plaintext on another, and mutual TLS between. A lone terminator cannot do it: RMI hands out an
address and a plaintext socket."""

import types

import pytest

from conftest import closing
from harness import gate as gate_module
from harness import jmx, systems_doc
from harness.jobs import Failed
from harness.waiting import until

pytestmark = pytest.mark.systems

BRIEF = "[proxy]\ndrain_timeout = 5s\n\n"
MEMORY, THREADING = "java.lang:type=Memory", "java.lang:type=Threading"
NOBODY = """
[route nobody]
mode = originate
listen = {alias}:7200
upstream = nobody

[upstream nobody]
server = {host}:7199
tls_trust = services
"""


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    return jmx.compiled(tmp_path_factory.mktemp("classes"))


@pytest.fixture(scope="module")
def service(classes, tmp_path_factory):
    """The JVM, and where everything is."""
    net = systems_doc.network()
    made = types.SimpleNamespace(host=f"{net}.20", alias=f"{net}.101", inner=f"{net}.1")
    pairs = {"127.0.0.1": made.inner, "127.0.20.1": made.alias, "192.0.2.20": made.host}
    texts = [*systems_doc.blocks("JMX", "sh"), *systems_doc.blocks("JMX", "ini")]
    command, made.inside, made.outside = (
        systems_doc.exchange(text, {k: v for k, v in pairs.items() if k in text})
        for text in texts)
    made.process = jmx.service(systems_doc.command(command), classes,
                               tmp_path_factory.mktemp("service"))
    yield made
    made.process.close()


class Pair:
    """The two proxies, each with its folder of files."""

    def __init__(self, folder, service, certs):
        self.certs, self.service = certs, service
        self.inside, self.outside = folder / "inside", folder / "outside"
        for side in (self.inside, self.outside):
            side.mkdir()
            systems_doc.put(side / "ca.crt", certs.ca.cert)
        self.show("now")
        self.gates = []

    def show(self, when):
        """The certificates of that time, on both sides."""
        names = f"IP:{self.service.host}"
        for side, who, usage in ((self.inside, "node", "serverAuth"),
                                 (self.outside, "operator", "clientAuth")):
            pair = self.certs.issue(f"jmx-{who}-{when}", who, usage=usage, names=names)
            systems_doc.put(side / f"{who}.key", pair.key)
            systems_doc.put(side / f"{who}.crt", pair.cert)

    def start(self, side, text, listeners=1):
        path = side / "sallyport.conf"
        path.write_text(BRIEF + text)
        gate = gate_module.Gate(["serve", "-c", path], listeners=listeners)
        self.gates.append(gate)
        return gate


@pytest.fixture
def pair(service, certs, tmp_path):
    made = Pair(tmp_path, service, certs)
    try:
        made.outer = made.start(made.outside, service.outside + NOBODY.format(
            alias=service.alias, host=service.host), listeners=2)
        made.inner = made.start(made.inside, service.inside)
        yield made
    finally:
        closing(made.gates)


@pytest.fixture
def clients(pair, classes):
    """A JVM of its own: its end is that of its connections, which RMI else keeps for a while."""
    running = jmx.JmxClients(classes)
    yield running
    running.close()


@pytest.fixture
def connection(service, clients):
    """A client's connection, with no option of TLS."""
    clients.do("connect", connection="first", url=jmx.url(service.alias))
    return "first"


def test_attributes_and_operations(pair, clients, connection):
    """As jconsole reads, and as nodetool calls."""
    heap = {key: int(clients.do("read", connection=connection, mbean=MEMORY,
                                attribute="HeapMemoryUsage", key=key)["value"])
            for key in ("used", "committed", "max")}
    assert 0 < heap["used"] <= heap["committed"] <= heap["max"]
    clients.do("invoke", connection=connection, mbean=MEMORY, operation="gc")
    assert "main" in clients.do("threads", connection=connection)["names"].split(",")
    deadlocked = clients.do("invoke", connection=connection, mbean=THREADING,
                            operation="findDeadlockedThreads")
    assert deadlocked == {"value": "null"}
    flushed = clients.do("invoke", connection=connection, mbean=jmx.STORAGE, operation="flush",
                         keyspace="users", tables=3)
    assert flushed == {"value": "[users.t0, users.t1, users.t2]"}
    why = clients.refusal("invoke", connection=connection, mbean=jmx.STORAGE, operation="flush",
                          keyspace="users", tables=-1)
    assert "no tables: -1" in why, "an exception of the service comes back whole"


def test_who_it_was(pair, service, clients, connection):
    """Both proxies tell of the connections, and the service's of the operator."""
    clients.do("close", connection=connection)
    clients.close()
    line = pair.inner.await_access(route="jmx", identity="cn:operator")
    assert line["tls"] == "TLSv1.3" and int(line["bytes_in"]) > 0
    line = pair.outer.await_access(route="jmx", upstream_identity="cn:node")
    assert line["upstream"] == f"{service.host}:7199" and int(line["bytes_out"]) > 0
    assert (line["tls"], line["upstream_tls"]) == ("off", "TLSv1.3")


def test_notifications_through_a_reload(pair, service, clients, connection):
    """A listener hears every one of them, while both sides get new certificates."""
    def repair(steps):
        clients.do("invoke", connection=connection, mbean=jmx.STORAGE, operation="repair",
                   steps=steps)

    def numbers():
        heard = clients.do("heard", connection=connection)["numbers"]
        return [int(n) for n in heard.split(",") if n]

    clients.do("listen", connection=connection, mbean=jmx.STORAGE)
    repair(10)
    until("10 notifications", lambda: len(numbers()) == 10)
    first = numbers()[0]
    pair.show("then")
    for gate, store in ((pair.inner, "node"), (pair.outer, "operator")):
        gate.await_message(rf"\[store {store}\].* replaced: serial")
    repair(10)
    until("20 notifications", lambda: len(numbers()) == 20)
    assert numbers() == list(range(first, first + 20))
    assert not pair.inner.has(identity="cn:operator"), "no connection has ended"
    clients.do("connect", connection="late", url=jmx.url(service.alias))
    clients.do("close", connection=connection)


def test_without_a_certificate(pair, service, clients):
    """Of two doors on the operator's host one shows no certificate: it leads nowhere, and both
    logs say why."""
    assert clients.refusal("connect", connection="nobody", url=jmx.url(service.alias, 7200))
    line = pair.inner.await_access(reason="handshake-failed")
    assert (line["cause"], line["side"]) == ("no-client-certificate", "client")
    assert "Test CA" in line["what"]
    said = pair.outer.await_access(route="nobody")
    assert said["reason"] == "upstream-tls-failed" and "certificate" in said["what"]


def test_without_tls(pair, service, clients):
    """Nobody speaks plaintext to the host's own address."""
    assert clients.refusal("connect", connection="plain", url=jmx.url(service.host))
    line = pair.inner.await_access(reason="handshake-failed")
    assert line["side"] == "client" and line["cause"] in ("plaintext", "not-tls")


@pytest.mark.parametrize("side", ["inside", "outside"])
def test_a_proxy_that_is_killed(pair, service, clients, connection, side):
    """The connections of that time are lost; who comes when it is back is served."""
    gate, text = ((pair.inner, service.inside) if side == "inside"
                  else (pair.outer, service.outside))
    gate.vanish()
    with pytest.raises(Failed):
        clients.do("read", connection=connection, mbean=MEMORY, attribute="Verbose")
    pair.start(pair.inside if side == "inside" else pair.outside, text)
    clients.do("connect", connection="again", url=jmx.url(service.alias))
    said = clients.do("read", connection="again", mbean=MEMORY, attribute="Verbose")
    assert said == {"value": "false"}
