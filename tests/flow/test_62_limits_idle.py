"""Idle connections: no limit by default, one where it is set, and little memory."""

import os
import re
import time

from harness import client, procfs
from harness.gate import is_sanitized
from harness.origin import echo

IDLE = int(os.environ.get("FLOW_IDLE", "500"))

# Most of it is the library's, which keeps for each connection in TLS 1.3, measured without a
# proxy: OpenSSL 3.0.22 13.2 KiB, OpenSSL 3.5.7 27.0 KiB (the record layer of 3.2 and later, and
# some 6 KiB are the client's ML-KEM key). The proxy may add this much:
PROXY_KIB = 3
LIBRARY_KIB = {(3, 0): 13.2, (3, 2): 27.0}      # from which release on


def bound(proxy):
    """KiB of a connection, by the library that the proxy says it has."""
    words = proxy.await_message("^sallyport .* started")["library"]
    version = tuple(int(n) for n in re.match(r"OpenSSL (\d+)\.(\d+)", words).groups())
    return PROXY_KIB + LIBRARY_KIB[max(since for since in LIBRARY_KIB if since <= version)]


def test_probes_are_counted_and_not_logged(gate, origin, certs):
    proxy = gate(origin(echo).address)
    for _ in range(20):
        client.dial(proxy.address).close()
    assert client.outcome(proxy.address, certs) == "ok"
    proxy.await_access(reason="done")
    proxy.close()
    assert sum("reason" in r for r in proxy.records) == 1
    assert proxy.await_message("^sallyport stopped")["probe"] == "20"


def test_idle_timeout(gate, origin, certs):
    proxy = gate(origin(echo).address, idle_timeout="1s")
    with client.Careful(proxy.address, certs).handshake() as c:
        begin = time.monotonic()
        for _ in range(8):                  # bytes do extend this one
            c.send(b"x")
            assert c.receive(1) == b"x"
            time.sleep(0.2)
        assert c.recv() == b"", "an end in order"
        assert 2.2 < time.monotonic() - begin < 10
    assert proxy.await_access()["reason"] == "idle-timeout"


def test_memory_of_idle_connections(gate, origin, certs):
    """Both sockets' buffers are the kernel's; this is what the worker itself takes."""
    proxy = gate(origin(echo).address)
    worker, = proxy.workers()
    warm = [client.Careful(proxy.address, certs).handshake() for _ in range(50)]
    before = procfs.pss_kib(worker)
    crowd = [client.Careful(proxy.address, certs).handshake() for _ in range(IDLE)]
    for c in crowd:
        c.send(b"once")
        assert c.receive(4) == b"once"
    each = (procfs.pss_kib(worker) - before) / IDLE
    print(f"{each:.1f} KiB for each of {IDLE} idle connections")
    if not is_sanitized():
        assert each <= bound(proxy)
    for c in warm + crowd:
        c.end()
        assert c.recv() == b""
        c.close()
    for _ in warm + crowd:
        proxy.await_access(reason="done")
