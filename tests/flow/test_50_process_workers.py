"""Several workers, one foreground process, and workers that die."""

import os
import signal
import time

import pytest

from harness import client, procfs
from harness.origin import echo
from harness.waiting import until


def worker_of(line):
    """The process that served a connection: the upper half of its id."""
    return int(line["id"], 16) >> 32


def talk(c, data=b"ping"):
    c.send(data)
    return c.receive(len(data)) == data


def finish(c):
    c.end()
    assert c.recv() == b""
    c.close()


def test_all_workers_accept(gate, origin, certs):
    proxy = gate(origin(echo).address, proxy={"workers": 2})
    assert len(proxy.workers()) == 2
    for _ in range(64):
        assert client.outcome(proxy.address, certs) == "ok"
    served = {worker_of(proxy.await_access(reason="done")) for _ in range(64)}
    assert served == set(proxy.workers())


def test_no_worker_process(gate, origin, certs):
    proxy = gate(origin(echo).address, proxy={"workers": 0})
    assert procfs.children(proxy.pid) == []
    assert client.outcome(proxy.address, certs) == "ok"
    assert worker_of(proxy.await_access(reason="done")) == proxy.pid


# A crash that we make is not one for the address sanitizer to report.
NO_REPORT = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":handle_segv=0"}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_dead_worker_takes_its_own_connections_alone(gate, origin, certs, number):
    proxy = gate(origin(echo).address, proxy={"workers": 2}, env=NO_REPORT)
    before = proxy.workers()
    victim = before[0]
    clients = [client.Careful(proxy.address, certs).handshake() for _ in range(40)]
    assert all(talk(c) for c in clients)

    killed = time.monotonic()
    os.kill(victim, number)
    until("a new worker", lambda: len(set(proxy.workers()) - {victim}) == 2)
    took = time.monotonic() - killed
    print(f"replaced after {1000 * took:.0f} ms")
    assert took < 3
    proxy.await_message(r"^worker \d+ is replaced by process \d+")

    alive = []
    for c in clients:
        try:
            assert talk(c)
            alive.append(c)
        except (client.CutShort, ConnectionError):
            c.close()
    for c in alive:
        finish(c)
    served = [worker_of(proxy.await_access(reason="done")) for _ in alive]
    assert set(served) == {before[1]}
    assert 0 < len(alive) < 40
    for _ in range(20):
        assert client.outcome(proxy.address, certs) == "ok"


def test_what_waits_in_a_dead_workers_queue_is_served(gate, origin, certs):
    proxy = gate(origin(echo).address)
    victim, = proxy.workers()
    os.kill(victim, signal.SIGSTOP)
    waiting = [client.Careful(proxy.address, certs) for _ in range(10)]
    os.kill(victim, signal.SIGKILL)
    for c in waiting:
        c.handshake()
        assert talk(c)
        finish(c)
    served = {worker_of(proxy.await_access(reason="done")) for _ in waiting}
    assert victim not in served


def test_nobody_is_refused_while_workers_die(gate, origin, certs):
    proxy = gate(origin(echo).address, proxy={"workers": 2})
    for _ in range(10):
        victim = proxy.workers()[0]
        os.kill(victim, signal.SIGKILL)
        for _ in range(4):
            # Before or after its worker's death a connection may be taken and lost, but
            # a socket listens at every moment.
            client.dial(proxy.address).close()
        until("two workers", lambda: len(set(proxy.workers()) - {victim}) == 2)
    assert client.outcome(proxy.address, certs) == "ok"


def test_without_a_master_what_is_open_is_served_to_its_end(gate, origin, certs):
    proxy = gate(origin(echo).address)
    worker, = proxy.workers()
    c = client.Careful(proxy.address, certs).handshake()
    assert talk(c)
    proxy.expected_exit = -signal.SIGKILL
    proxy.process.kill()
    proxy.process.wait()
    with pytest.raises(ConnectionRefusedError):
        until("the listening socket closes", lambda: client.dial(proxy.address).close())
    assert talk(c)
    finish(c)
    until("the worker ends", lambda: not procfs.is_alive(worker))
