"""How a client may end, and what the upstream then sees."""

import fcntl
import socket
import struct
import termios
import time

import pytest

from harness import client
from harness.origin import receive, receive_all
from harness.waiting import until


def unsent(sock):
    """Bytes that the peer's system has not acknowledged."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0" * 4))[0]


@pytest.fixture
def through(gate, origin, certs):
    """through(version): a client, and the other end of its connection behind the proxy."""
    app = origin()
    proxy = gate(app.address)

    def make(version=client.TLS13):
        c = client.Careful(proxy.address, certs, version=version).handshake()
        return proxy, c, app.accept()
    return make


@pytest.mark.parametrize("version", client.VERSIONS, ids=client.version_id)
def test_half_close_ends_one_direction(through, version):
    proxy, c, server = through(version)
    c.send(b"last words")
    c.end()
    assert receive_all(server) == b"last words"         # the end has come through …
    for _ in range(10):                                 # … and the other direction goes on
        server.sendall(b"x" * 20000)
        assert c.receive(20000) == b"x" * 20000
    server.close()
    assert c.recv() == b""
    c.close()
    assert proxy.await_access()["reason"] == "done"


def test_echo_goes_on_after_the_clients_end(through):
    proxy, c, server = through()
    c.send(b"a" * 100000)
    c.end()
    server.sendall(receive_all(server))
    server.close()
    assert c.receive(100000) == b"a" * 100000
    assert c.recv() == b""
    c.close()
    proxy.await_access(reason="done", bytes_in=100000, bytes_out=100000)


@pytest.mark.parametrize("version", client.VERSIONS, ids=client.version_id)
def test_no_close_notify_is_an_ordinary_end(through, version):
    proxy, c, server = through(version)
    c.send(b"bye")
    c.cut()
    assert receive_all(server) == b"bye"
    server.close()
    line = proxy.await_access()
    assert line["reason"] == "client-cut"
    assert line["level"] == "info"
    c.close()


def test_what_the_upstream_says_after_a_cut_still_arrives(through):
    proxy, c, server = through()
    c.send(b"bye")
    c.cut()
    assert receive_all(server) == b"bye"
    server.sendall(b"and one more thing")
    server.close()
    assert c.receive(18) == b"and one more thing"
    assert c.recv() == b""
    c.close()
    assert proxy.await_access()["reason"] == "client-cut"


def test_a_clients_reset_is_passed_on_at_once(through):
    proxy, c, server = through()
    c.send(b"x")
    assert receive(server, 1) == b"x"
    server.settimeout(5)
    c.reset()
    with pytest.raises(ConnectionResetError):
        server.recv(1)
    assert proxy.await_access()["reason"] == "client-reset"


def test_a_reset_is_seen_while_the_upstream_does_not_read(through):
    """The client's direction is paused by backpressure when the client resets."""
    proxy, c, server = through()
    c.sock.settimeout(0.5)
    with pytest.raises(TimeoutError):
        while True:
            c.send(b"y" * 65536)
    c.reset()
    assert proxy.await_access()["reason"] == "client-reset"
    with pytest.raises(ConnectionResetError):
        receive_all(server)


def test_both_end_at_once(through):
    proxy, c, server = through()
    server.shutdown(socket.SHUT_WR)
    c.end()
    assert c.recv() == b""
    assert receive_all(server) == b""
    server.close()
    c.close()
    assert proxy.await_access()["reason"] == "done"


@pytest.mark.parametrize("notify", [True, False], ids=["close_notify", "no close_notify"])
def test_what_a_client_sent_before_it_left_arrives(gate, origin, certs, notify):
    """It ends and closes while the upstream, which does not read yet, writes to it: the writing
    fails, the upload does not."""
    app = origin()
    proxy = gate(app.address)
    # TLS 1.2: an unread ticket of TLS 1.3 would make the client's own system reset it.
    c = client.Careful(proxy.address, certs, version=client.TLS12).handshake()
    server = app.accept()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    c.send(b"z" * 60000)
    if notify:
        c.end()
    until("all of it is with the proxy's kernel", lambda: unsent(c.sock) == 0)
    c.close()
    for _ in range(5):                          # the second one meets the client's reset
        try:
            server.sendall(b"are you there? ")
        except ConnectionError:
            break                               # it will be told that this arrived nowhere
        time.sleep(0.05)
    assert receive_all(server) == b"z" * 60000
    server.close()
    proxy.await_access(bytes_in=60000)
