"""A loop that does not turn is ended and replaced; one that merely cannot, is not."""

import contextlib
import ctypes
import os
import signal
import time

import pytest

from harness import client, procfs
from harness.origin import echo
from harness.waiting import until

LIMIT = 2       # seconds: what the watchdog grants
LONG = LIMIT + 2.5      # by then it would have ended whoever it meant to


def worker_of(line):
    return int(line["id"], 16) >> 32


def talk(c):
    c.send(b"ping")
    return c.receive(4) == b"ping"


def hung(proxy):
    """Those it counted, once it has ended."""
    return proxy.await_message("^sallyport stopped$").get("workers_hung", "0")


def test_a_worker_that_hangs_is_replaced(gate, origin, certs):
    proxy = gate(origin(echo).address, proxy={"workers": 2})
    clients = [client.Careful(proxy.address, certs).handshake() for _ in range(20)]
    assert all(talk(c) for c in clients)
    stuck, well = proxy.workers()
    os.kill(stuck, signal.SIGSTOP)
    began = time.monotonic()
    waiting = [client.Careful(proxy.address, certs) for _ in range(20)]

    proxy.await_message(r"^worker 0 did not turn its loop for \d\.\d s \(stopped\): it is replaced")
    print(f"ended after {time.monotonic() - began:.1f} s")
    died = proxy.await_message("^worker 0 was killed by signal 9")
    proxy.await_message(r"^worker 0 is replaced by process \d+")
    for c in waiting:
        c.handshake()
        assert talk(c), "what waited in its socket is served by the next one"
    alive = 0
    for c in clients:
        with contextlib.suppress(client.CutShort, ConnectionError):
            alive += talk(c)
    assert alive == 20 - int(died["connections_lost"]) and 0 < alive < 20
    assert well in proxy.workers() and stuck not in proxy.workers()
    for c in clients + waiting:
        c.close()
    until("all are told of", lambda: sum("reason" in r for r in proxy.records) >= 20 + alive)
    assert stuck not in {worker_of(r) for r in proxy.records if "reason" in r}
    proxy.close()
    stopped = proxy.await_message("^sallyport stopped$")
    assert (stopped["workers_hung"], stopped["worker_restarts"]) == ("1", "1")


def test_one_that_spins_is_replaced(gate, origin, certs):
    """It runs all the time and never comes back to its loop: a debugger lets it spin."""
    proxy = gate(origin(echo).address)
    worker, = proxy.workers()
    with attached(worker) as trace:
        trace.spin()
    proxy.await_message(r"^worker 0 did not turn its loop for \d\.\d s \(running\)")
    until("another", lambda: proxy.workers() not in ([], [worker]))
    assert client.outcome(proxy.address, certs) == "ok"


def test_the_monitor_as_well(gate, origin, open_folder):
    proxy = gate(origin(echo).address, proxy={"admin": f"unix:{open_folder}/admin.sock"})
    monitor = proxy.monitor()
    os.kill(monitor, signal.SIGSTOP)
    proxy.await_message(r"^the monitor did not turn its loop for \d+\.\d s \(stopped\)")
    until("another", lambda: proxy.monitors() not in ([], [monitor]))


def test_who_was_stopped_with_the_master_is_not_to_blame(gate, origin, certs):
    """A machine that slept, a container that was paused, Ctrl-Z."""
    proxy = gate(origin(echo).address, proxy={"workers": 2})
    before = proxy.workers()
    c = client.Careful(proxy.address, certs).handshake()
    time.sleep(1.5)         # into a question, or between two
    for pid in [*before, proxy.pid]:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(LONG)
    # The master goes first, and finds nobody to turn.
    os.kill(proxy.pid, signal.SIGCONT)
    time.sleep(0.8)
    for pid in before:
        os.kill(pid, signal.SIGCONT)
    assert talk(c)
    time.sleep(LONG)
    assert proxy.workers() == before
    assert talk(c)
    c.close()
    proxy.close()
    assert hung(proxy) == "0"


def test_who_is_looked_at_by_a_debugger_is_left_in_peace(gate, origin, certs):
    proxy = gate(origin(echo).address)
    before = proxy.workers()
    with attached(before[0]):
        time.sleep(LONG)
    assert client.outcome(proxy.address, certs) == "ok"
    assert proxy.workers() == before
    proxy.close()
    assert hung(proxy) == "0"


# --- a debugger ---

PTRACE_POKEDATA, PTRACE_GETREGS, PTRACE_ATTACH, PTRACE_DETACH = 5, 12, 16, 17
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
LIBC.ptrace.restype = ctypes.c_long
JUMP_TO_ITSELF = b"\xeb\xfe"    # of x86-64
RIP = 16                        # its place in struct user_regs_struct


def ptrace(request, pid, addr=None, data=None):
    if LIBC.ptrace(request, pid, addr, data) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")


class Trace:
    def __init__(self, pid):
        self.pid = pid

    def spin(self):
        if os.uname().machine != "x86_64":
            pytest.skip("the instruction is one of x86-64")
        regs = (ctypes.c_ulong * 64)()
        ptrace(PTRACE_GETREGS, self.pid, None, ctypes.addressof(regs))
        word = int.from_bytes(JUMP_TO_ITSELF * 4, "little")
        ptrace(PTRACE_POKEDATA, self.pid, regs[RIP], word)


@contextlib.contextmanager
def attached(pid):
    try:
        ptrace(PTRACE_ATTACH, pid)
    except OSError as e:
        pytest.skip(f"no process may be traced here: {e}")
    # Not our child, so there is nothing to wait for.
    until("it is stopped", lambda: procfs.state(pid) == "t")
    try:
        yield Trace(pid)
    finally:
        ptrace(PTRACE_DETACH, pid)
