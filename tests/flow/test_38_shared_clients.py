"""The address of doc/shared-address.md, and who comes there: Java by name and by address, clients
like Pravega's that have no certificate, gRPC's own library, curl; and those with a certificate.
Each reaches its own service, and nobody else reaches what asks for certificates."""

import json
import pathlib
import signal
import sys

import pytest

from harness import client, gate
from harness.java_clients import JavaClients
from harness.jobs import Failed, Jobs
from harness.origin import echo
from harness.shared_address import (CONTROLLER, LEDGER, NAMES, SEGMENTS, WEB, Address, Frames,
                                    Identity, configuration)
from harness.shared_crowd import TLS12, TLS13, Crowd
from harness.waiting import until

ORDERLY = {"done", "client-cut"}
LEFT = {*ORDERLY, "client-reset"}       # it may not have read the tickets
NODE = ",".join(f"DNS:{n}" for n in (CONTROLLER, WEB, LEDGER, "localhost")) + ",IP:127.0.0.1"
MORE = """
[route plain]
listen = 127.0.0.1:0
sni = plain.example.com
store = node
upstream = {echo}
"""


@pytest.fixture(scope="module")
def pairs(certs):
    """Of the gate, now and after a rotation; of gRPC's client."""
    made = {f"{who}-{when}": certs.issue(f"sh-{who}-{when}", who, usage="serverAuth", names=names)
            for who, names in (("node", NODE), ("pravega", f"DNS:{SEGMENTS}"))
            for when in ("now", "then")}
    return {**made, "planner": certs.issue("sh-planner", "planner")}


@pytest.fixture(scope="module")
def java(tmp_path_factory, certs):
    clients = JavaClients(tmp_path_factory.mktemp("java"), certs.ca, [*NAMES, "plain.example.com"])
    clients.context("trusting")
    clients.context("alice", certs.client)
    yield clients
    clients.close()


def grpc_process():
    return Jobs(sys.executable, "-m", "harness.grpc_peer", cwd=pathlib.Path(__file__).parent)


@pytest.fixture(scope="module")
def services():
    """The two of gRPC; a test asks for those of frames."""
    running = grpc_process()
    yield running
    running.close()


@pytest.fixture(scope="module")
def rpc(certs):
    running = grpc_process()
    running.ca = certs.ca.cert
    yield running
    running.close()


@pytest.fixture
def start(sallyport, origin, services, pairs, certs, tmp_path):
    def make(more=""):
        frames = {name: Frames(origin, name) for name in ("cassandra", "segments", "ledger")}
        names = {n: Address.unique(n) for n in ("controller", "ledger-rpc")}
        addresses = {**{n: f.address for n, f in frames.items()},
                     **{n: services.do("serve", name=s)["address"] for n, s in names.items()}}
        identity = Identity(tmp_path, certs)
        identity.show(pairs["node-now"], pairs["pravega-now"])
        text = configuration(addresses) + more.format(echo=origin(echo).address)
        return Address(sallyport(text), frames, names, identity)
    return make


@pytest.fixture
def address(start):
    return start()


# --- what is said of the example beforehand ---

def test_the_example_as_it_stands(start, pairs, certs):
    """check finds nothing in it, and explain says of its clients what becomes of them."""
    path = start().gate.path
    done = gate.run("check", "-c", path)
    assert done.returncode == 0
    said = [line for line in (done.stdout + done.stderr).splitlines() if ": warning: " in line]
    assert not [line for line in said if "[proxy] user" not in line]
    both = ["--sni", LEDGER, "--alpn", "h2"]
    for flags, route, cause in (
            ([], "cassandra", None), (["--alpn", "h2"], "cassandra", None),
            (["--sni", SEGMENTS], "segments", None),
            (["--sni", CONTROLLER, "--alpn", "h2"], "controller", None),
            (["--sni", WEB, "--alpn", "h2"], "web", "no-shared-alpn"),
            (["--sni", LEDGER, "--cert", certs.client.cert], "ledger", None),
            (["--sni", LEDGER], "ledger", "no-client-certificate"),
            ([*both, "--cert", pairs["planner"].cert], "ledger-rpc", None),
            ([*both, "--cert", certs.client.cert], "ledger-rpc", "client-denied")):
        said = json.loads(gate.run("explain", "--json", "-c", path, *flags).stdout)
        assert (said["route"]["name"], said["cause"]) == (route, cause), flags


# --- gRPC ---

@pytest.mark.parametrize("route, name, who", [
    ("controller", CONTROLLER, None), ("controller", CONTROLLER, "planner"),
    ("ledger-rpc", LEDGER, "planner")])
def test_grpc(address, rpc, pairs, route, name, who):
    """One answer, many answers, and a talk; where no certificate is asked for, one that the client
    has is not shown."""
    channel = address.channel(rpc, name, pairs.get(who))
    service = address.rpc_services[route]
    answer = {"service": service, "count": "1"}
    assert rpc.do("unary", channel=channel, text="large", size=1 << 20) == answer
    assert rpc.do("stream", channel=channel, text="many") == {**answer, "count": "100"}
    for i in range(20):
        assert rpc.do("say", channel=channel, text=f"word {i}") == answer
    assert rpc.do("finish", channel=channel) == {"status": "OK"}
    rpc.do("close", channel=channel)
    line = address.gate.await_access(route=route)
    assert (line["sni"], line["alpn"], line["tls"]) == (name, "h2", TLS13)
    assert line.get("identity") == ("cn:planner" if route == "ledger-rpc" else None)
    assert line["reason"] in ORDERLY and int(line["bytes_in"]) > 1 << 20


def test_grpc_where_other_protocols_are_offered(address, rpc):
    address.refuse_grpc(rpc, WEB)
    line = address.gate.await_access(route="web")
    assert (line["cause"], line["side"]) == ("no-shared-alpn", "client")
    assert "h2" in line["what"] and "alpn" in line["fix"]


def test_grpc_where_no_protocol_is_offered(start, rpc, certs):
    """It leaves in silence when the handshake is over. Others that do so had no such reason."""
    address = start(MORE)
    assert "ALPN" in address.refuse_grpc(rpc, "plain.example.com")
    line = address.gate.await_access(route="plain")
    assert (line["reason"], line["level"]) == ("client-wants-h2", "warn")
    assert (line["sni"], line["tls"], line["bytes_in"]) == ("plain.example.com", TLS13, "0")
    assert "HTTP/2" in line["what"] and "alpn = h2" in line["what"] and "error" not in line
    for alpn, first, reasons in (
            (["h2", "http/1.1"], b"", LEFT), (None, b"", LEFT), (["h2"], b"hello", LEFT),
            (["h2", "grpc-exp"], b"", {"client-wants-h2"})):
        with client.connect(address.gate.address, certs, "plain.example.com", check="chain",
                            alpn=alpn) as tls:
            assert tls.selected_alpn_protocol() is None
            tls.sendall(first)
            assert not first or tls.recv(100) == first
        line = address.gate.await_access(route="plain")
        assert line["reason"] in reasons and line["bytes_in"] == str(len(first)), (alpn, line)


@pytest.mark.parametrize("who, cause, identity", [
    (None, "no-client-certificate", None),
    ("mallory", "client-certificate-unknown-issuer", None),
    ("alice", "client-denied", "cn:alice")])
def test_grpc_without_the_right_certificate(address, services, rpc, certs, who, cause, identity):
    pair = {None: None, "mallory": certs.client_other_ca, "alice": certs.client}[who]
    address.refuse_grpc(rpc, LEDGER, pair)
    line = address.gate.await_access(route="ledger-rpc")
    assert (line["cause"], line.get("identity"), line["sni"]) == (cause, identity, LEDGER)
    assert services.do("heard", name=address.rpc_services["ledger-rpc"]) == {"texts": ""}


# --- Java ---

@pytest.mark.parametrize("tls", [TLS12, TLS13])
@pytest.mark.parametrize("host, route", [
    ("127.0.0.1", "cassandra"), ("localhost", "cassandra"), (SEGMENTS, "segments")])
def test_java(address, java, pairs, host, route, tls):
    """It sends no server name for an address or a name without a dot."""
    connection, serial = address.open(java, host, tls=tls)
    shown = pairs["pravega-now" if route == "segments" else "node-now"]
    assert serial == int(shown.serial, 16)
    said = java.do("talk", connection=connection, text="hello", count=20, size=20000)
    assert said == {"service": route, "rounds": "20"}
    java.do("close", connection=connection)
    line = address.gate.await_access(route=route)
    assert line.get("sni") == (host if "." in host and host != "127.0.0.1" else None)
    assert (line["tls"], line["reason"]) == (tls, "done")
    assert "alpn" not in line and "identity" not in line


@pytest.mark.parametrize("tls", [TLS12, TLS13])
def test_java_with_a_certificate(address, java, tls):
    connection, _ = address.open(java, LEDGER, context="alice", tls=tls)
    assert java.do("talk", connection=connection, text="hello")["service"] == "ledger"
    java.do("close", connection=connection)
    line = address.gate.await_access(route="ledger")
    assert (line["sni"], line["tls"], line["identity"]) == (LEDGER, tls, "cn:alice")


@pytest.mark.parametrize("tls", [TLS12, TLS13])
def test_java_without_a_certificate(address, java, tls):
    address.refuse_java(java, LEDGER, tls)
    line = address.gate.await_access(route="ledger")
    assert (line["cause"], line["sni"]) == ("no-client-certificate", LEDGER)
    assert address.frames["ledger"].connections == 0


def test_java_checks_names(address, java):
    """Who dials a name that the certificate does not have leaves, and the line says why."""
    with pytest.raises(Failed, match="No subject alternative DNS name matching plain.example.com"):
        address.open(java, "plain.example.com")
    line = address.gate.await_access(route="cassandra")
    assert (line["cause"], line["sni"]) == ("client-rejects-certificate", "plain.example.com")
    assert WEB in line["what"]


def test_http_client_of_java(address, java):
    page = java.do("http", context="trusting", url=f"https://{WEB}:{address.port}/json")
    assert (page["status"], page["version"]) == ("200", "HTTP_1_1")
    assert json.loads(page["body"])["sni"] == WEB
    line = address.gate.await_access(route="web")
    assert line["alpn"] == "http/1.1" and line["reason"] in ORDERLY


def test_http2_of_java(address, java):
    """gRPC's unary call, from a client of another maker."""
    said = address.unary_of_java(java, CONTROLLER, "hello")
    assert said == {"version": "HTTP_2", "answer": f"{address.rpc_services['controller']}|hello"}
    address.await_lines(1, java)
    assert address.gate.await_access(route="controller")["alpn"] == "h2"


@pytest.mark.parametrize("context, cause", [
    ("trusting", "no-client-certificate"), ("alice", "client-denied")])
def test_http2_of_java_is_asked_for_the_certificate_as_well(address, java, context, cause):
    """Two routes share the name, and its protocols lead it to the other."""
    with pytest.raises(Failed):
        address.unary_of_java(java, LEDGER, "hello", context=context)
    assert address.gate.await_access(route="ledger-rpc")["cause"] == cause


# --- Pravega ---

def test_through_a_reload(address, java, pairs):
    """Connections in the middle of their frames keep what they began with; who comes after the
    new keystore has arrived sees the new certificate."""
    gate = address.gate
    opened = [address.open(java, SEGMENTS) for _ in range(4)]
    assert {serial for _, serial in opened} == {int(pairs["pravega-now"].serial, 16)}
    ends = [java.begin("talk", connection=c, text=f"text of {c}", count=0, size=5000)
            for c, _ in opened]

    def rounds():
        return [int(java.do("rounds", connection=c)["rounds"]) for c, _ in opened]

    def all_go_on():
        before = rounds()
        until("50 rounds on each connection",
              lambda: all(b + 50 <= now for b, now in zip(before, rounds())))

    all_go_on()
    address.identity.show(pairs["node-then"], pairs["pravega-then"])
    gate.await_message(r"\[store pravega\].* replaced: serial")
    java.context("fresh")
    late, serial = address.open(java, SEGMENTS, context="fresh")
    assert serial == int(pairs["pravega-then"].serial, 16)
    all_go_on()
    gate.signal(signal.SIGHUP)
    until("the reload by HUP", lambda: any("hup" in r.get("cause", "") for r in gate.records[:]))
    all_go_on()
    for c, _ in opened:
        java.do("hush", connection=c)
    assert {e.result(60)["service"] for e in ends} == {"segments"}
    for c, _ in [*opened, (late, None)]:
        java.do("close", connection=c)
        line = gate.await_access()
        assert (line["route"], line["sni"], line["reason"]) == ("segments", SEGMENTS, "done")


# --- all of them ---

def test_all_at_once(address, java, rpc, services, pairs, certs):
    """They come at once and stay; meanwhile the certificates are replaced. Every connection has
    its line with its route and who it was, and every service heard its own clients alone."""
    gate, crowd = address.gate, Crowd(address, java, rpc, pairs, certs)
    for coming in crowd.begin():
        coming.result(60)
    crowd.speak_again()
    address.identity.show(pairs["node-then"], pairs["pravega-then"])
    gate.await_message(r"\[store pravega\].* replaced: serial")
    crowd.speak_again()
    crowd.leave()
    address.await_lines(crowd.lines.total(), java)
    gate.signal(signal.SIGTERM)
    assert gate.wait() == 0
    assert crowd.said_of(address.lines()) == crowd.lines
    assert {r["reason"] for r in address.lines() if "cause" not in r} <= ORDERLY
    for name, frames in address.frames.items():
        assert frames.heard == crowd.heard[name]
    assert address.frames["ledger"].connections == 3
    for route, name in address.rpc_services.items():
        texts = services.do("heard", name=name)["texts"].split()
        assert set(texts) == crowd.heard[route]
