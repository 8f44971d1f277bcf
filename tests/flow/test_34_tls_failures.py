"""What else goes wrong in a handshake is one line in words: whose fault, what, how to mend it."""

import socket
import ssl

import pytest

from harness import client
from harness.origin import echo, reset


@pytest.fixture
def proxy(gate, origin):
    return gate(origin(echo).address)


def failure(proxy, cause, side):
    line = proxy.await_access(reason="handshake-failed")
    assert (line["cause"], line["side"]) == (cause, side), line
    assert line["message"] == "TLS handshake failed" and line["what"]
    return line


@pytest.mark.parametrize("version", client.VERSIONS, ids=client.version_id)
def test_a_client_that_does_not_trust_us(proxy, certs, version):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.minimum_version = ctx.maximum_version = version
    ctx.load_verify_locations(certs.other_ca.cert)
    with pytest.raises(ssl.SSLCertVerificationError):
        ctx.wrap_socket(client.dial(proxy.address), server_hostname="localhost")
    line = failure(proxy, "client-untrusted-issuer", "client")
    assert line["fix"]


@pytest.mark.parametrize("request_line", [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST /x HTTP/1.0\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_plain_http(proxy, request_line):
    with client.dial(proxy.address) as sock:
        sock.sendall(request_line)
        line = failure(proxy, "plain-http", "client")
    assert "HTTP" in line["what"]


PLAINTEXT = {
    "length": (b"\x00\x00\x00\x12whatever it may be", "not-tls"),
    "garbage": (b"\x7f" * 100, "not-tls"),
    "h2c": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "plaintext"),
    "ssh": (b"SSH-2.0-OpenSSH_9.2\r\n", "plaintext"),
    "connect": (b"CONNECT x:443 HTTP/1.1\r\n\r\n", "http-connect"),
    "proxy v1": (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "proxy-header"),
    "proxy v2": (b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00", "proxy-header"),
}


@pytest.mark.parametrize("what", PLAINTEXT)
def test_other_plaintext(proxy, what):
    first, cause = PLAINTEXT[what]
    with client.dial(proxy.address) as sock:
        sock.sendall(first)
        assert failure(proxy, cause, "client")["fix"]


def hello(certs):
    """A ClientHello's bytes."""
    out = ssl.MemoryBIO()
    tls = client.context(certs).wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return out.read()


def test_closed_in_the_handshake(proxy, certs):
    with client.dial(proxy.address) as sock:
        sock.sendall(hello(certs)[:50])
        sock.shutdown(socket.SHUT_WR)
        line = failure(proxy, "closed-in-hello", "network")
    assert line["bytes"] == "50"
    assert line["level"] == "info"


def test_reset_in_the_handshake(proxy, certs):
    sock = client.dial(proxy.address)
    sock.sendall(hello(certs))
    sock.recv(1)                        # the server's part is here
    reset(sock)
    assert failure(proxy, "reset-in-handshake", "network")["sni"] == "localhost"


def test_a_broken_record(proxy, certs):
    data = bytearray(hello(certs))
    data[9] ^= 0xff                     # the version inside the ClientHello
    data[60:] = bytes(len(data) - 60)
    with client.dial(proxy.address) as sock:
        sock.sendall(data)
        assert sock.recv(7)[0] == 0x15, "an alert is sent"
        line = proxy.await_access(reason="handshake-failed")
    assert line["side"] == "client"


def test_each_failure_is_one_line(proxy, certs):
    """And the next client is served."""
    for _ in range(5):
        with client.dial(proxy.address) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            failure(proxy, "plain-http", "client")
    assert client.outcome(proxy.address, certs) == "ok"
    proxy.await_access(reason="done")
    assert not proxy.has(reason="probe")
    assert sum("reason" in r for r in proxy.records) == 6
