"""How an upstream may end, and what the client then sees."""

import socket

import pytest

from harness import client
from harness.origin import receive, receive_all, reset

VERSIONS = pytest.mark.parametrize("version", client.VERSIONS, ids=client.version_id)


@VERSIONS
def test_fin_becomes_close_notify(gate, origin, certs, version):
    app = origin()
    proxy = gate(app.address)
    c = client.Careful(proxy.address, certs, version=version).handshake()
    server = app.accept()
    server.sendall(b"all there is" * 10000)
    server.shutdown(socket.SHUT_WR)
    assert c.receive(120000) == b"all there is" * 10000
    assert c.recv() == b""                      # CutShort without close_notify
    c.end()
    c.close()
    assert receive_all(server) == b""
    server.close()
    proxy.await_access(reason="done", bytes_out=120000)


def test_after_the_upstreams_end_the_client_may_go_on(gate, origin, certs):
    app = origin()
    proxy = gate(app.address)
    c = client.Careful(proxy.address, certs).handshake()
    server = app.accept()
    server.shutdown(socket.SHUT_WR)
    assert c.recv() == b""
    c.send(b"still here")
    assert receive(server, 10) == b"still here"
    c.end()
    assert receive_all(server) == b""
    server.close()
    c.close()
    proxy.await_access(reason="done", bytes_in=10)


def test_tls12_peers_that_answer_a_close_by_closing(gate, origin, certs):
    """RFC 5246 7.2.1: the other party answers close_notify with its own and closes."""
    app = origin()
    proxy = gate(app.address)
    c = client.Careful(proxy.address, certs, version=client.TLS12).handshake()
    server = app.accept()
    server.shutdown(socket.SHUT_WR)
    assert c.recv() == b""
    c.close()                                   # without a word
    assert receive_all(server) == b""
    server.close()
    assert proxy.await_access()["level"] == "info"


@VERSIONS
def test_reset_is_no_clean_end(gate, origin, certs, version):
    app = origin()
    proxy = gate(app.address)
    c = client.Careful(proxy.address, certs, version=version).handshake()
    server = app.accept()
    server.sendall(b"half of")
    assert c.receive(7) == b"half of"
    reset(server)
    with pytest.raises((client.CutShort, ConnectionResetError)):
        c.recv()
    c.close()
    line = proxy.await_access()
    assert line["reason"] == "upstream-reset"
    assert line["level"] == "warn"


def test_reset_is_seen_while_the_client_does_not_read(gate, origin, certs):
    app = origin()
    proxy = gate(app.address)
    c = client.Careful(proxy.address, certs).handshake()
    server = app.accept()
    server.settimeout(0.5)
    with pytest.raises(TimeoutError):
        while True:
            server.send(b"z" * 65536)
    reset(server)
    assert proxy.await_access()["reason"] == "upstream-reset"
    with pytest.raises((client.CutShort, ConnectionResetError)):
        while c.recv():
            pass
    c.close()
