"""256 descriptors under 2,000 connections: no spinning, nobody hurt, and it recovers."""

import contextlib
import resource
import socket
import time

import pytest

from harness import client, procfs
from harness.origin import echo
from harness.waiting import until

CROWD = 2000


@pytest.fixture
def room_for_a_crowd():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = CROWD + 500
    assert hard == resource.RLIM_INFINITY or hard >= need, f"this test needs {need} descriptors"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, need), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def knock(address):
    """Begin to connect, and do not wait for it."""
    sock = socket.socket()
    sock.setblocking(False)
    sock.connect_ex(address)
    return sock


@pytest.mark.parametrize("workers", [0, 1])
def test_out_of_descriptors(gate, origin, certs, room_for_a_crowd, workers):
    proxy = gate(origin(echo).address, proxy={"workers": workers}, descriptors=256,
                 handshake_timeout="120s")
    worker, = proxy.workers()
    base = proxy.fds()
    with client.Careful(proxy.address, certs).handshake() as live:
        with contextlib.ExitStack() as crowd:
            for _ in range(CROWD):
                crowd.enter_context(knock(proxy.address))
            until("it has taken what it can", lambda: proxy.fds() > 100)

            cpu, begin, pings = procfs.cpu_seconds(worker), time.monotonic(), 0
            while time.monotonic() - begin < 2:
                live.send(b"alive")
                assert live.receive(5) == b"alive"
                pings += 1
                time.sleep(0.05)
            spent = procfs.cpu_seconds(worker) - cpu
            print(f"{100 * spent / 2:.1f} % of a processor while starved, {pings} pings")
            assert spent < 0.4
            assert proxy.fds() <= 256

        assert client.outcome(proxy.address, certs) == "ok"     # recovered
        live.end()
        assert live.recv() == b""
    until("all are gone", lambda: proxy.fds() <= base)
