"""The handshake's deadline is absolute: bytes do not extend it."""

import socket
import ssl
import time

import pytest

from harness import client
from harness.origin import echo


@pytest.fixture
def proxy(gate, origin):
    return gate(origin(echo).address, handshake_timeout="1s")


def seconds_until_closed(sock, drip=b""):
    """Send a byte of `drip` every tenth of a second until the other side ends."""
    begin = time.monotonic()
    sock.settimeout(0.1)
    while time.monotonic() - begin < 15:
        try:
            if drip:
                sock.send(drip[:1])
                drip = drip[1:]
            if not sock.recv(4096):
                return time.monotonic() - begin
        except socket.timeout:
            pass
        except ConnectionError:
            return time.monotonic() - begin
    raise AssertionError("it was not closed")


HELLO = b"\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03" + b"x" * 200     # begins like one


@pytest.mark.parametrize("drip, cause", [(b"", "silent"), (HELLO, "timeout-in-hello")],
                         ids=["silent", "dripping"])
def test_slow_handshakes_are_ended(proxy, certs, drip, cause):
    with client.dial(proxy.address) as sock:
        took = seconds_until_closed(sock, drip)
    assert 0.8 < took < 6, took
    line = proxy.await_access(reason="handshake-timeout")
    assert line["cause"] == cause
    assert 900 < float(line["total_ms"]) < 8000


def test_the_deadline_ends_with_the_handshake(proxy, certs):
    with client.Careful(proxy.address, certs).handshake() as c:
        with client.dial(proxy.address) as sock:
            seconds_until_closed(sock)      # an event later than this connection's deadline
        c.send(b"still here")
        assert c.receive(10) == b"still here"
        c.end()
        assert c.recv() == b""


def test_who_may_speak_plaintext_has_as_long_for_tls(gate, origin, certs):
    """It counts as a client that waits for the service after 3 s of silence, and not later."""
    proxy = gate(origin(echo).address, plaintext_from="loopback", handshake_timeout="8s")
    with client.Careful(proxy.address, certs) as c:
        with pytest.raises(ssl.SSLWantReadError):
            c.tls.do_handshake()
        c._flush()
        c.cut_at, c.before_cut = c.sent + 1, lambda _: time.sleep(3.5)
        c.handshake()
        c.send(b"x")
        assert c.receive(1) == b"x"
    with client.Careful(proxy.address, certs) as c:
        with pytest.raises(ssl.SSLWantReadError):
            c.tls.do_handshake()
        c._flush()
        assert 6 < seconds_until_closed(c.sock) < 13
    assert proxy.await_access(reason="handshake-timeout")


def test_a_crowd_of_silent_ones(proxy, certs):
    """They do not keep an honest client waiting, and leave nothing behind."""
    base = proxy.fds()
    crowd = [client.dial(proxy.address) for _ in range(200)]
    assert client.outcome(proxy.address, certs) == "ok"
    for sock in crowd:
        seconds_until_closed(sock)
        sock.close()
    proxy.await_fds(base)
    for _ in crowd:
        proxy.await_access(reason="handshake-timeout")
