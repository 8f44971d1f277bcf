"""The harness itself: what the other tests rely on, without the program."""

import socket
import ssl
import threading

import pytest

from harness import client, logs, procfs
from harness.gate import render
from harness.origin import reset
from harness.waiting import until


@pytest.fixture
def server(certs):
    """server(end): a TLS server that says "data", ends as `end` does, and is gone."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(certs.server.cert, certs.server.key)
    listening = socket.create_server(("127.0.0.1", 0))
    threads = []

    def start(end):
        def serve():
            conn, _ = listening.accept()
            inbound, out = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = ctx.wrap_bio(inbound, out, server_side=True)
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    conn.sendall(out.read())
                    inbound.write(conn.recv(65536))
            tls.write(b"data")
            conn.sendall(out.read())
            end(conn, tls, out)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return listening.getsockname()

    yield start
    for thread in threads:
        thread.join()
    listening.close()


def close_notify(conn, tls, out):
    try:
        tls.unwrap()
    except ssl.SSLWantReadError:
        pass
    conn.sendall(out.read())
    conn.close()


def fin(conn, _tls, _out):
    conn.shutdown(socket.SHUT_WR)
    conn.recv(1)
    conn.close()


def rst(conn, _tls, _out):
    conn.recv(1)                # the client has read all: "data" is not lost by the reset
    reset(conn)


def test_a_clean_end_is_told_from_others(server, certs):
    with client.Careful(server(close_notify), certs).handshake() as c:
        assert c.receive(4) == b"data"
        assert c.recv() == b""
    with client.Careful(server(fin), certs).handshake() as c:
        assert c.receive(4) == b"data"
        with pytest.raises(client.CutShort):
            c.recv()
    with client.Careful(server(rst), certs).handshake() as c:
        assert c.receive(4) == b"data"
        c.send(b"x")
        with pytest.raises(ConnectionResetError):
            c.recv()


def test_what_comes_before_our_end_is_kept(server, certs):
    with client.Careful(server(close_notify), certs).handshake() as c:
        c.sock.settimeout(10)
        while b"data" not in c._early:
            c._in.write(c.sock.recv(65536))
            c._drain(c._keep)
        c.end()
        assert c.receive(4) == b"data"


def test_a_client_that_vanishes_has_sent_so_many_bytes(certs):
    listening = socket.create_server(("127.0.0.1", 0))
    for k in (0, 1, 100):
        c = client.Careful(listening.getsockname(), certs, limit=k)
        conn, _ = listening.accept()
        with pytest.raises(client.Careful.Vanish):
            c.handshake()
        c.close()
        assert len(conn.recv(65536)) == k
        conn.close()
    listening.close()


def test_unread_bytes_are_seen():
    listening = socket.create_server(("127.0.0.1", 0))
    with socket.create_connection(listening.getsockname()) as c:
        conn, _ = listening.accept()
        ends = listening.getsockname(), c.getsockname()
        assert procfs.unread(*ends) == 0
        c.sendall(b"12345")
        until("they arrive", lambda: procfs.unread(*ends) == 5)
        assert conn.recv(3) == b"123"
        assert procfs.unread(*ends) == 2
        conn.close()
    assert procfs.unread(listening.getsockname(), ("127.0.0.1", 1)) is None
    listening.close()


def test_log_lines():
    head = "2026-11-22T19:55:40.551818Z warn  "
    assert logs.parse(head + r'a: b id=1f what="two \"words\" \\ \x0a" bytes_in=0') == {
        "time": head.split()[0], "level": "warn", "message": "a: b", "id": "1f",
        "what": r'two "words" \\ \x0a', "bytes_in": "0"}
    assert logs.parse(head + "f.conf:1: warning: [proxy] user = \"x\": none")["message"] \
        == "f.conf:1: warning: [proxy] user = \"x\": none"
    assert logs.parse('{"time":"t","level":"info","message":"m","n":5}')["n"] == "5"
    assert logs.parse("=== ERROR: AddressSanitizer") is None


def test_configurations():
    assert render({"route r": {"alpn": ["a", "b"], "store": None, "mode": "x"}}) \
        == "[route r]\nalpn = a\nalpn = b\nmode = x\n"
