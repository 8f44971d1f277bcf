"""One line a connection, in text or JSON, with every field; a peer's bytes are escaped."""

import json
import re

import pytest

from harness import client, tools
from harness.origin import banner, echo

TEXT_LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z info  connection id=[0-9a-f]+ route=main ")


def one_connection(proxy, certs):
    with client.Careful(proxy.address, certs, client=certs.client, alpn=["h2"],
                        version=client.TLS13).handshake() as c:
        local = "%s:%d" % c.sock.getsockname()
        assert c.receive(5) == b"hello"
        c.send(b"0123456789")
        assert c.receive(10) == b"0123456789"
        c.end()
        assert c.recv() == b""
    return local


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_fields(gate, origin, certs, log_format):
    app = origin(banner(b"hello"))
    proxy = gate(app.address, proxy={"log_format": log_format}, client_auth="require", alpn="h2")
    local = one_connection(proxy, certs)
    line = proxy.await_access()
    assert {k: line.get(k) for k in (
        "message", "level", "route", "listener", "client", "sni", "alpn", "tls", "suite",
        "resumed", "identity", "upstream", "bytes_in", "bytes_out", "reason")} == {
            "message": "connection", "level": "info", "route": "main",
            "listener": "%s:%d" % proxy.address, "client": local, "sni": "localhost",
            "alpn": "h2", "tls": "TLSv1.3", "suite": "TLS_AES_128_GCM_SHA256", "resumed": "no",
            "identity": "cn:alice", "upstream": app.address, "bytes_in": "10",
            "bytes_out": "15", "reason": "done"}
    assert line["group"].lower() in ("x25519", "x25519mlkem768")
    phases = [float(line[k]) for k in ("handshake_ms", "connect_ms", "first_byte_ms", "total_ms")]
    assert all(0 <= ms < 60000 for ms in phases)
    assert sum(phases[:3]) <= phases[3]
    assert int(line["id"], 16) > 0


def test_text_form(gate, origin, certs):
    proxy = gate(origin(banner(b"hello")).address)
    one_connection(proxy, certs)
    proxy.await_access()
    raw, = [s for s in proxy.output if " connection " in s]
    assert TEXT_LINE.match(raw), raw


def test_json_types(gate, origin, certs):
    proxy = gate(origin(banner(b"hello")).address, proxy={"log_format": "json"})
    one_connection(proxy, certs)
    proxy.await_access()
    raw, = [json.loads(s) for s in proxy.output if '"connection"' in s]
    assert raw["bytes_in"] == 10 and isinstance(raw["total_ms"], float)
    assert all(json.loads(s)["message"] for s in proxy.output)


NASTY = b'a"b\\c\nd\x1b[31m\xc3\xa4\xff=e f'
SHOWN = r'a"b\\c\x0ad\x1b[31m\xc3\xa4\xff=e f'


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_peers_bytes_are_escaped(gate, origin, certs, log_format):
    proxy = gate(origin(echo).address, proxy={"log_format": log_format})
    said, _ = tools.converse("openssl", "s_client", "-connect", "%s:%d" % proxy.address,
                             "-servername", NASTY, "-quiet", "-no_ign_eof",
                             send=b"ping\n", expect=b"ping\n")
    assert "ping\n" in said
    assert proxy.await_access(bytes_in=5)["sni"] == SHOWN
    assert not re.search(r"[^\x20-\x7e]", "".join(proxy.output))


def test_ids_are_unique(gate, origin, certs):
    proxy = gate(origin(echo).address, proxy={"workers": 2})
    for _ in range(20):
        assert client.outcome(proxy.address, certs) == "ok"
    assert len({proxy.await_access()["id"] for _ in range(20)}) == 20


def test_resumed_sessions_say_so(gate, origin, certs):
    proxy = gate(origin(echo).address)
    ctx = client.context(certs, version=client.TLS12)
    session = None
    for resumed in ("no", "yes"):
        tls = ctx.wrap_socket(client.dial(proxy.address), server_hostname="localhost",
                              session=session)
        tls.sendall(b"x")
        assert tls.recv(1) == b"x"
        session = tls.session
        tls.close()
        assert proxy.await_access()["resumed"] == resumed
