"""Upstreams that refuse, that never answer, that are gone for a while."""

import os
import socket
import time

import pytest

from harness import client
from harness.origin import Origin, echo

ENDED = (client.CutShort, ConnectionResetError)


def cut_short(address, certs):
    """Connect, and say after how many seconds the connection was cut (no clean end)."""
    begin = time.monotonic()
    with client.Careful(address, certs).handshake() as c:
        with pytest.raises(ENDED):
            c.recv()
        return time.monotonic() - begin


def free_port():
    """A port of 127.0.0.1 that refuses, until the socket that is returned listens."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock, "127.0.0.1:%d" % sock.getsockname()[1]


def test_refused_and_back_again(gate, certs):
    sock, address = free_port()
    proxy = gate(address)
    with sock:
        for _ in range(3):
            assert cut_short(proxy.address, certs) < 2
            line = proxy.await_access(reason="upstream-refused")
            assert line["upstream"] == address
            assert line["level"] == "warn"
            assert line["what"]
        sock.listen()
        with client.Careful(proxy.address, certs).handshake() as c:
            server, _ = sock.accept()
            with server:
                server.sendall(b"here again")
                assert c.receive(10) == b"here again"


def test_unix_socket_that_is_not_there(gate, certs, open_folder):
    path = open_folder / "app.sock"
    proxy = gate(f"unix:{path}")
    cut_short(proxy.address, certs)
    proxy.await_access(reason="upstream-refused", upstream=f"unix:{path}")
    app = Origin(echo, path=path)
    try:
        assert client.outcome(proxy.address, certs) == "ok"
    finally:
        app.close()


@pytest.fixture
def full_queue():
    """A listening socket that takes no more connections."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(0)
    waiting = []
    for _ in range(4):
        waiting.append(socket.socket())
        waiting[-1].setblocking(False)
        waiting[-1].connect_ex(sock.getsockname())
    yield "127.0.0.1:%d" % sock.getsockname()[1]
    for s in [*waiting, sock]:
        s.close()


def test_blackholed(gate, certs, full_queue):
    proxy = gate(full_queue, upstream_keys={"connect_timeout": "700ms"})
    took = cut_short(proxy.address, certs)
    assert 0.6 < took < 5, took
    line = proxy.await_access(reason="upstream-timeout")
    assert line["upstream"] == full_queue
    assert 600 < float(line["total_ms"]) < 5000


def test_unix_socket_with_a_full_queue(gate, certs, open_folder):
    path = str(open_folder / "full.sock")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)
        os.chmod(path, 0o666)
        sock.listen(0)
        waiting = []
        try:
            while True:
                waiting.append(socket.socket(socket.AF_UNIX))
                waiting[-1].setblocking(False)
                waiting[-1].connect(path)
        except BlockingIOError:
            pass
        proxy = gate(f"unix:{path}", upstream_keys={"connect_timeout": "700ms"})
        took = cut_short(proxy.address, certs)
        assert 0.6 < took < 5, took
        proxy.await_access(reason="upstream-timeout")
        for s in waiting:
            s.close()


def test_a_client_that_leaves_while_we_dial(gate, certs, full_queue):
    proxy = gate(full_queue, upstream_keys={"connect_timeout": "500ms"})
    base = proxy.fds()
    for _ in range(20):
        client.Careful(proxy.address, certs).handshake().close()
    proxy.await_fds(base)
