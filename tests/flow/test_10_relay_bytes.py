"""Every byte arrives, in order, whoever speaks first and whatever the sizes."""

import os

import pytest

from harness import client
from harness.origin import banner, echo, receive

SIZES = [1, 16383, 16384, 16385, 65536, 1 << 20]


@pytest.mark.parametrize("version", client.VERSIONS, ids=client.version_id)
def test_echo(gate, origin, certs, version):
    proxy = gate(origin(echo).address)
    with client.Careful(proxy.address, certs, version=version).handshake() as c:
        for size in SIZES:
            data = os.urandom(size)
            c.send(data)
            assert c.receive(size) == data
        c.end()
        assert c.recv() == b""
    line = proxy.await_access(reason="done")
    assert line["bytes_in"] == line["bytes_out"] == str(sum(SIZES))


def test_the_upstream_may_speak_first(gate, origin, certs):
    proxy = gate(origin(banner(b"220 ready\r\n")).address)
    with client.Careful(proxy.address, certs).handshake() as c:
        assert c.receive(11) == b"220 ready\r\n"
        c.send(b"hello")
        assert c.receive(5) == b"hello"


def test_the_upstream_is_dialled_before_the_client_says_anything(gate, origin, certs):
    app = origin()
    proxy = gate(app.address)
    with client.Careful(proxy.address, certs).handshake() as c:
        server = app.accept()
        server.sendall(b"welcome")
        assert c.receive(7) == b"welcome"
        c.send(b"thanks")
        assert receive(server, 6) == b"thanks"
        server.close()


def test_connections_do_not_mix(gate, origin, certs):
    proxy = gate(origin(echo).address)
    clients = [client.Careful(proxy.address, certs).handshake() for _ in range(50)]
    for i, c in enumerate(clients):
        c.send(b"%04d" % i * 1000)
    for i, c in reversed(list(enumerate(clients))):
        assert c.receive(4000) == b"%04d" % i * 1000
        c.end()
        assert c.recv() == b""
        c.close()
    for _ in clients:
        proxy.await_access(reason="done", bytes_in=4000, bytes_out=4000)
