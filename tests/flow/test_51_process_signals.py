"""TERM drains; a second TERM, and INT, end at once."""

import os
import signal

import pytest

from harness import client
from harness.origin import echo
from harness.waiting import until

WORKERS = pytest.mark.parametrize("workers", [0, 1, 2])
FOREVER = {"drain_timeout": "300s"}


def live(proxy, certs):
    c = client.Careful(proxy.address, certs).handshake()
    c.send(b"ping")
    assert c.receive(4) == b"ping"
    return c


def refused(address):
    try:
        client.dial(address).close()
    except (ConnectionRefusedError, ConnectionResetError):
        return True
    return False


@WORKERS
def test_nothing_open_nothing_to_wait_for(gate, origin, workers):
    proxy = gate(origin(echo).address, proxy={"workers": workers, **FOREVER})
    proxy.signal(signal.SIGTERM)
    assert proxy.wait() == 0


@WORKERS
def test_term_lets_what_is_open_end(gate, origin, certs, workers):
    proxy = gate(origin(echo).address, proxy={"workers": workers, **FOREVER})
    clients = [live(proxy, certs) for _ in range(5)]
    proxy.signal(signal.SIGTERM)
    until("nobody listens", lambda: refused(proxy.address))
    for c in clients:
        c.send(b"still here")
        assert c.receive(10) == b"still here"
        assert proxy.process.poll() is None
        c.end()
        assert c.recv() == b""
        c.close()
    assert proxy.wait() == 0
    for _ in clients:
        proxy.await_access(reason="done", bytes_in=14, bytes_out=14)
    assert proxy.await_message("^sallyport stopped")["done"] == "5"


@WORKERS
def test_what_is_open_after_drain_timeout_is_cut(gate, origin, certs, workers):
    proxy = gate(origin(echo).address, proxy={"workers": workers, "drain_timeout": "500ms"})
    clients = [live(proxy, certs) for _ in range(3)]
    proxy.signal(signal.SIGTERM)
    proxy.expected_exit = 1
    assert proxy.wait() == 1
    for c in clients:
        proxy.await_access(reason="drain-cut")
        with pytest.raises((client.CutShort, ConnectionResetError)):
            c.recv()
        c.close()
    assert proxy.await_message("^sallyport stopped")["cut"] == "3"


@WORKERS
@pytest.mark.parametrize("numbers", [[signal.SIGTERM, signal.SIGTERM], [signal.SIGINT],
                                     [signal.SIGTERM, signal.SIGINT]], ids=["TERM-TERM", "INT",
                                                                            "TERM-INT"])
def test_at_once(gate, origin, certs, workers, numbers):
    proxy = gate(origin(echo).address, proxy={"workers": workers, **FOREVER})
    c = live(proxy, certs)
    for number in numbers[:-1]:
        proxy.signal(number)
        proxy.await_message("^draining: 1 ")
    proxy.signal(numbers[-1])
    proxy.expected_exit = 1             # a connection was cut
    assert proxy.wait(patience=10) == 1
    with pytest.raises((client.CutShort, ConnectionResetError)):
        c.recv()
    c.close()


def test_int_with_nothing_open_is_no_failure(gate, origin):
    proxy = gate(origin(echo).address)
    proxy.signal(signal.SIGINT)
    assert proxy.wait() == 0


def test_what_waits_in_the_queue_at_term_is_served(gate, origin, certs):
    proxy = gate(origin(echo).address, proxy=FOREVER)
    worker, = proxy.workers()
    os.kill(worker, signal.SIGSTOP)
    waiting = [client.Careful(proxy.address, certs) for _ in range(5)]
    proxy.signal(signal.SIGTERM)
    proxy.await_message("^draining")
    os.kill(worker, signal.SIGCONT)
    for c in waiting:
        c.handshake()
        c.send(b"just in time")
        assert c.receive(12) == b"just in time"
        c.end()
        assert c.recv() == b""
        c.close()
    assert proxy.wait() == 0
