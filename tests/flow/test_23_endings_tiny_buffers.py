"""The smallest socket buffers the kernel grants, on both outer sides."""

import os
import socket

import pytest

from harness import client
from harness.origin import Origin, receive

SIZE = 60000


def tiny(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)


def patient_echo(conn):
    tiny(conn)
    data = receive(conn, SIZE)
    conn.sendall(data)


@pytest.mark.parametrize("version", client.VERSIONS, ids=client.version_id)
def test_tiny_buffers(gate, certs, version):
    app = Origin(patient_echo)
    tiny(app.socket)                # accepted sockets take it over, before their window opens
    try:
        proxy = gate(app.address)
        with client.Careful(proxy.address, certs, version=version) as c:
            tiny(c.sock)
            c.handshake()
            data = os.urandom(SIZE)
            c.send(data)
            assert c.receive(SIZE) == data
            assert c.recv() == b""
            c.end()
        proxy.await_access(reason="done", bytes_in=SIZE, bytes_out=SIZE)
    finally:
        app.close()
