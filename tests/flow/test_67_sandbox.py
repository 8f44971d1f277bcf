"""The sandbox: what a process that was broken into can do, and that all of them still work."""

import ctypes
import os
import re
import signal
import socket
import subprocess

import pytest

from harness import burglar, client, gate, procfs
from harness.gate import render
from harness.origin import echo
from harness.waiting import until

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="workers change their user"),
    pytest.mark.skipif(gate.is_sanitized(), reason="with sanitizers there is no sandbox"),
]

WORKER, MONITOR, DIALLER, LOADER = ("sallyport-w0", "sallyport-mon", "sallyport-dial",
                                    "sallyport-load")

# What comes of each deed. ENOSYS is what a call gets that is not on the list of those allowed.
STRICT = {"open": "EACCES", "create": "EACCES", "exec": "killed", "fork": "ENOSYS",
          "socket": "ENOSYS", "dial": "EACCES", "ptrace": "killed", "code": "ENOSYS",
          "signal": "ENOSYS"}
DENIED = {
    WORKER: STRICT, MONITOR: STRICT, DIALLER: STRICT,
    LOADER: {"create": "EACCES", "exec": "EPERM", "socket": "EPERM", "dial": "EPERM",
             "ptrace": "EPERM"},
}
DEEDS = [(who, deed, wanted) for who, all_of in DENIED.items() for deed, wanted in all_of.items()]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return burglar.build(tmp_path_factory.mktemp("burglar"))


@pytest.fixture(scope="module", autouse=True)
def kernel(tmp_path_factory, certs):
    """Skips where the kernel has not what is required."""
    path = tmp_path_factory.mktemp("kernel") / "sallyport.conf"
    path.write_text(render({
        "proxy": {"sandbox": "require", "workers": 1},
        "store s": {"cert": certs.server.cert, "key": certs.server.key},
        "route r": {"listen": "127.0.0.1:0", "store": "s", "upstream": "127.0.0.1:9"}}))
    done = gate.run("check", "-c", path)
    if done.returncode != 0:
        reason = next(x for x in done.stdout.splitlines() if 'sandbox = "require"' in x)
        pytest.skip(reason)


@pytest.fixture
def break_in(gate, origin, library, open_folder):
    """break_in(process, deed, sandbox): the gate in which it was tried, and what came of it."""
    started = []
    inside, outside = origin(echo), origin(echo)
    open_folder.chmod(0o777)
    (open_folder / "a").write_text("for everybody")

    def start(process, deed, sandbox, where=outside):
        arguments = {"open": open_folder / "a", "create": open_folder / "b",
                     "dial": where.address.rpartition(":")[2]}
        env = burglar.order(library, process, deed, arguments.get(deed, ""))
        admin = open_folder / "admin.sock"
        proxy = gate(inside.address, listeners=0, env=env,
                     proxy={"sandbox": sandbox, "admin": f"unix:{admin}", "user": "nobody"})
        started.append(proxy)
        if process == DIALLER:          # which only a reload brings
            proxy.await_message("^sallyport .* started")
            other = render({"route other": {
                "mode": "terminate", "listen": "127.0.0.2:0", "store": "node",
                "upstream": origin(echo).address}})
            proxy.path.write_text(proxy.path.read_text() + "\n" + other)
            proxy.signal(signal.SIGHUP)
        return burglar.outcome(proxy, deed)

    start.inside = inside
    yield start
    for proxy in started:
        proxy.process.kill()
        proxy.expected_exit = proxy.wait()


@pytest.mark.parametrize("who, deed, wanted", DEEDS, ids=[f"{w}-{d}" for w, d, _ in DEEDS])
def test_a_burglar_is_denied(break_in, who, deed, wanted):
    assert break_in(who, deed, "require") == wanted


# There is no dialler without a sandbox.
@pytest.mark.parametrize("who, deed", [(w, d) for w, d, _ in DEEDS if w != DIALLER])
def test_without_a_sandbox_he_is_not(break_in, who, deed):
    assert break_in(who, deed, "off") == "done"


@pytest.mark.parametrize("who", [WORKER, MONITOR, DIALLER])
def test_a_configured_port_can_be_dialled(break_in, who):
    """… or a denial would say nothing."""
    assert break_in(who, "dial", "require", break_in.inside) == "done"


# --- the master, which has few capabilities ---

@pytest.fixture
def victim():
    sleeper = subprocess.Popen(["sleep", "1000"])
    yield sleeper
    sleeper.kill()
    sleeper.wait()


def trace(pid):
    """As root, with everything root has; the errno, or 0."""
    libc = ctypes.CDLL(None, use_errno=True)
    seize, detach = 0x4206, 17
    if libc.ptrace(seize, pid, None, None) != 0:
        return ctypes.get_errno()
    os.kill(pid, signal.SIGSTOP)
    os.waitpid(pid, 0x40000000)     # __WALL
    libc.ptrace(detach, pid, None, None)
    os.kill(pid, signal.SIGCONT)
    return 0


def test_the_master_is_no_root_for_all(gate, origin, library, victim):
    assert trace(victim.pid) == 0, "root can"
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
    for deed, argument in (("ptrace", victim.pid), ("packets", "")):
        proxy = gate(origin(echo).address, env=burglar.order(library, "master", deed, argument))
        assert burglar.outcome(proxy, deed) == "EPERM"


# --- what holds, and what still works ---

def status(pid, key):
    text = open(f"/proc/{pid}/status", encoding="ascii").read()
    return re.search(rf"^{key}:\s+(\S+)", text, re.M)[1]


def held(proxy):
    line = proxy.await_message("^workers are in ")
    return {key: line[key] for key in ("files", "ports", "calls")}


def test_one_line_says_what_holds(gate, origin):
    proxy = gate(origin(echo).address, proxy={"sandbox": "auto"})
    assert set(held(proxy).values()) == {"held"}
    worker, = proxy.workers()
    assert status(worker, "Seccomp") == "2" and status(worker, "NoNewPrivs") == "1"
    for kind in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
        assert int(status(worker, kind), 16) == 0
    assert status(proxy.pid, "Seccomp") == "0" and status(proxy.pid, "NoNewPrivs") == "1"
    kept = int(status(proxy.pid, "CapPrm"), 16)
    assert kept != 0 and kept & (1 << 19 | 1 << 21 | 1 << 16 | 1 << 13) == 0, \
        "no tracing, administering, modules, raw sockets"
    assert int(status(proxy.pid, "CapBnd"), 16) == kept


@pytest.mark.parametrize("proxy, because", [
    ({"sandbox": "off"}, "sandbox = off"), ({"workers": 0}, "workers = 0")])
def test_none_is_said_as_well(gate, origin, certs, proxy, because):
    proxy = gate(origin(echo).address, proxy=proxy)
    line = proxy.await_message("^workers are in no sandbox$")
    assert (line["files"], line["calls"], line["because"]) == ("free", "free", because)
    assert status(proxy.workers()[0], "Seccomp") == "0"
    assert client.outcome(proxy.address, certs) == "ok"


def test_one_process_cannot_be_required_to_have_one(config, tmp_path):
    path = tmp_path / "sallyport.conf"
    path.write_text(render(config("127.0.0.1:9", proxy={"workers": 0, "sandbox": "require"})))
    done = gate.run("check", "-c", path)
    assert done.returncode == 1
    assert "workers = 0 is one process" in done.stdout + done.stderr


def dialler(proxy):
    found = [p for p in procfs.children(proxy.pid) if procfs.name(p) == DIALLER]
    return found[0] if found else None


def served(proxy, certs):
    assert client.outcome(proxy.address, certs) == "ok"
    assert proxy.await_access(reason="done")


def test_a_reload_brings_a_port(gate, origin, certs, config):
    """The workers live on, and may not dial it."""
    first, second = origin(echo), origin(echo)
    wanted = {"sandbox": "require", "reload": "signal"}
    proxy = gate(first.address, proxy=wanted)
    before = proxy.workers()
    assert dialler(proxy) is None
    proxy.reconfigure(config(second.address, proxy=wanted))
    served(proxy, certs)
    assert set(before) <= set(procfs.children(proxy.pid))

    # While both editions were about, there was one for both.
    until("there is one beside the worker", lambda: len(procfs.children(proxy.pid)) == 2)
    os.kill(until("it has its name", lambda: dialler(proxy)), signal.SIGKILL)
    proxy.await_message("^the dialler was killed by signal 9 .*: it is replaced$")
    until("there is another", lambda: dialler(proxy))
    until("it is asked", lambda: client.outcome(proxy.address, certs) == "ok")

    proxy.reconfigure(config(first.address, proxy=wanted))
    until("nobody needs it any more", lambda: dialler(proxy) is None)
    served(proxy, certs)


def test_a_worker_that_is_replaced_dials_for_itself(gate, origin, certs, config):
    """What it may not any more, it has dialled when a reload brings it back."""
    first, second = origin(echo), origin(echo)
    wanted = {"sandbox": "require", "reload": "signal"}
    proxy = gate(first.address, proxy=wanted)
    worker, = proxy.workers()
    proxy.reconfigure(config(second.address, proxy=wanted))
    os.kill(worker, signal.SIGKILL)
    proxy.await_message("^worker 0 is replaced")
    until("it serves", lambda: client.outcome(proxy.address, certs) == "ok")
    proxy.reconfigure(config(first.address, proxy=wanted))
    served(proxy, certs)
