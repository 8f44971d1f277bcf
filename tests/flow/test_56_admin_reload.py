"""The admin addresses: `sallyport reload` and the monitor that answers it."""

import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import threading
import time

import pytest

from harness import client, gate as gate_module, procfs, tools
from harness.origin import echo
from harness.waiting import PATIENCE, until

def workers(proxy):
    return [pid for pid in procfs.children(proxy.pid)
            if procfs.name(pid).startswith("sallyport-w")]


@pytest.fixture
def served(gate, origin, open_folder):
    """One with a Unix socket and a TCP address for its admin endpoints, and two workers."""
    sock = open_folder / "admin.sock"
    proxy = gate(origin(echo).address,
                 proxy={"workers": 2, "admin": [f"unix:{sock}", "127.0.0.1:0"]})
    proxy.sock = sock
    where = proxy.await_message(r"^admin on 127\.0\.0\.1:")["message"]
    proxy.tcp = ("127.0.0.1", int(where.rpartition(":")[2]))
    settled(proxy, 2)
    return proxy


def settled(proxy, n):
    """All processes are what they will be: their names, and whom they run as."""
    until("the monitor answers", lambda: curl(proxy, path="/healthz")[0] == 200)
    until("all have their names", lambda: (len(proxy.monitors()), len(workers(proxy))) == (1, n))


def reload(proxy, **kwargs):
    return gate_module.run("reload", "-c", proxy.path, **kwargs)


def curl(proxy, *args, path="/reload", unix=True):
    where = (["--unix-socket", proxy.sock, f"http://localhost{path}"] if unix
             else [f"http://127.0.0.1:{proxy.tcp[1]}{path}"])
    done = tools.run("curl", "-sS", "-w", "\n%{http_code}", *where, *args)
    assert done.returncode == 0, done.stderr
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def unix(proxy):
    return client.dial(str(proxy.sock))


def answer_to(sock, request):
    """All of it; a reset behind an answer is an end as well."""
    if request:
        sock.sendall(request)
    got = b""
    with contextlib.suppress(ConnectionError):
        while data := sock.recv(65536):
            got += data
    return got


def break_file(proxy):
    good = proxy.path.read_text()
    proxy.path.write_text(good + "listne = 127.0.0.1:0\n")
    return good, good.count("\n") + 1


def test_a_good_reload(served, certs):
    before = procfs.children(served.pid)
    done = reload(served)
    assert (done.returncode, done.stdout) == (0, "generation 2 is in force\n"), done.stderr
    assert done.stderr == ""
    assert served.await_message("^reload done")["generation"] == "2"
    assert procfs.children(served.pid) == before
    assert client.outcome(served.address, certs) == "ok"


def test_a_broken_file_fails_with_its_line(served, certs):
    good, line = break_file(served)
    done = reload(served)
    assert (done.returncode, done.stdout) == (1, "")
    first, last = done.stderr.splitlines()
    assert first.startswith(f"{served.path}:{line}: error: [route main] listne"), first
    assert last == "reload failed: generation 1 stays in force"
    assert client.outcome(served.address, certs) == "ok"
    served.path.write_text(good.replace("workers = 2", "workers = 3"))
    done = reload(served)
    assert done.returncode == 0
    assert "warning: [proxy] workers" in done.stderr        # shown, and no failure
    assert done.stdout == "generation 2 is in force\n"


def test_json_for_curl(served):
    status, body = curl(served, "-X", "POST")
    assert (status, json.loads(body)) == (200, {"ok": True, "generation": 2, "findings": []})
    _, line = break_file(served)
    status, body = curl(served, "-d", "", "-H", "Accept: application/json")
    answer = json.loads(body)
    assert (status, answer["ok"], answer["generation"]) == (409, False, 2)
    said = gate_module.run("check", "--json", "-c", served.path)
    assert answer["findings"] == json.loads(said.stdout)
    assert answer["findings"][0]["line"] == line


def test_other_requests(served):
    assert curl(served, path="/healthz") == (200, "ok\n")
    assert curl(served, path="/healthz", unix=False) == (200, "ok\n")
    assert curl(served, "-I", path="/healthz")[0] == 200
    assert curl(served, "-X", "POST", path="/healthz")[0] == 405
    assert curl(served)[0] == 405                           # GET /reload
    assert curl(served, path="/elsewhere")[0] == 404
    assert curl(served, "-X", "POST", unix=False)[0] == 403
    assert curl(served, "-H", "Origin: http://evil.example", path="/healthz", unix=False)[0] == 403
    assert curl(served, "-H", "Host: evil.example", path="/healthz", unix=False)[0] == 403
    assert curl(served, "-H", "Host: localhost:1", path="/healthz", unix=False)[0] == 200
    assert not served.says("^reload")


def test_several_at_once_see_the_last_change(served):
    """Each is answered by a reload that began after it was asked."""
    good, _ = break_file(served)
    assert [reload(served).returncode for _ in range(2)] == [1, 1]
    codes = []
    askers = [threading.Thread(target=lambda: codes.append(reload(served).returncode))
              for _ in range(6)]
    for i, asker in enumerate(askers):
        if i == 2:
            served.path.write_text(good)
            first = reload(served)
            assert first.returncode == 0, first.stderr
        asker.start()
    for asker in askers:
        asker.join()
    assert len(codes) == 6 and codes.count(1) <= 2


def test_during_a_storm_of_hups(served):
    over = threading.Event()

    def storm():
        while not over.wait(0.005):
            served.signal(signal.SIGHUP)

    thread = threading.Thread(target=storm)
    thread.start()
    try:
        for _ in range(3):
            done = reload(served)
            assert done.returncode == 0, done.stderr
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
def test_a_monitor_that_dies_is_replaced(served, certs, number):
    with client.Careful(served.address, certs).handshake() as live:
        before, serving = served.monitors(), workers(served)
        os.kill(before[0], number)
        served.await_message(r"^the monitor was killed by signal \d+")
        until("another monitor", lambda: served.monitors() not in ([], before))
        assert reload(served).returncode == 0
        assert workers(served) == serving
        live.send(b"unharmed")
        assert live.receive(8) == b"unharmed"
        live.end()
        assert live.recv() == b""


def test_a_monitor_that_dies_during_a_reload(served, tmp_path):
    """Who asked is told that nobody knows; the next one is served."""
    fifo, good = tmp_path / "slow", served.path.read_text()
    os.mkfifo(fifo)
    served.path.write_text(re.sub("cert = .*", f"cert = {fifo}", good))
    asking = subprocess.Popen([gate_module.SALLYPORT, "reload", "-c", served.path],
                              env=gate_module.environment(), stderr=subprocess.PIPE, text=True)
    until("the loader", lambda: len(procfs.children(served.pid)) == 4)
    os.kill(served.monitors()[0], signal.SIGKILL)
    assert "ended before it had answered" in asking.communicate(timeout=PATIENCE)[1]
    assert asking.returncode == 1
    served.path.write_text(good)
    with open(fifo, "w") as f:                              # the loader reads, and objects
        f.write("no certificate\n")
    served.await_message("^reload failed")
    done = reload(served)
    assert done.returncode == 0, done.stderr


def test_who_may_connect(served):
    mode = os.stat(served.sock)
    assert stat.S_ISSOCK(mode.st_mode) and stat.S_IMODE(mode.st_mode) == 0o600
    until("the workers and the monitor are who owns it", lambda: mode.st_uid == os.stat(
        f"/proc/{served.monitors()[0]}").st_uid == os.stat(f"/proc/{workers(served)[0]}").st_uid)
    if os.getuid() == 0:
        assert mode.st_uid != 0
        other = {"user": 12345, "group": 12345, "extra_groups": []}
        done = gate_module.run("reload", "--admin", f"unix:{served.sock}", **other)
        assert done.returncode == 1
        assert "Permission denied (only root and the user" in done.stderr
        assert not served.says("^reload")


HALF = b"POST /reload HTTP/1.1\r\nHost: x\r\n"
BAD = {
    "garbage": (bytes(range(256)) * 16 + b"\r\n\r\n", b"HTTP/1.1 400 "),
    "tls": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"HTTP/1.1 400 "),
    "huge-head": (HALF + b"X: " + b"x" * 20000, b"HTTP/1.1 431 "),
    "huge-body": (HALF + b"Content-Length: 65537\r\n\r\n", b"HTTP/1.1 413 "),
    "chunked": (HALF + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"HTTP/1.1 411 "),
    "two-lengths": (HALF + b"Content-Length: 0\r\nContent-Length: 1\r\n\r\n", b"HTTP/1.1 400 "),
    "http2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"HTTP/1.1 505 "),
}


@pytest.mark.parametrize("how", BAD)
def test_bad_requests_are_refused(served, how):
    request, begin = BAD[how]
    with unix(served) as sock:
        assert answer_to(sock, request).startswith(begin)
    assert not served.says("^reload")
    assert reload(served).returncode == 0
    assert len(served.monitors()) == 1


def test_half_open_connections_keep_nobody_out(served, certs):
    """500 of them, some silent, some in mid-request: data flows and `reload` works."""
    monitor = served.monitors()
    with contextlib.ExitStack() as stack:
        live = stack.enter_context(client.Careful(served.address, certs).handshake())
        for i in range(500):
            sock = stack.enter_context(unix(served) if i % 2 else client.dial(served.tcp))
            with contextlib.suppress(ConnectionError):
                sock.sendall(HALF[:i % len(HALF)])
        assert len(procfs.fds(monitor[0])) < 300
        assert reload(served).returncode == 0               # and does not wait for their end
        live.send(b"x" * 100000)
        assert live.receive(100000) == b"x" * 100000
        live.end()
        assert live.recv() == b""
    assert served.monitors() == monitor
    until("they are forgotten", lambda: len(procfs.fds(monitor[0])) < 20)


def test_a_slow_request_has_its_time(served):
    """The limit is on the whole: bytes do not extend it."""
    started = time.monotonic()
    with unix(served) as sock, contextlib.suppress(ConnectionError):
        sock.settimeout(0.5)
        while time.monotonic() - started < 30:
            sock.sendall(b"G")
            with contextlib.suppress(TimeoutError):
                assert sock.recv(1) == b""
                break
    assert 8 < time.monotonic() - started < 25


def test_clients_that_hang_up_cost_nothing(served):
    assert reload(served).returncode == 0                   # it has been handed the log anew
    monitor = served.monitors()[0]
    base = len(procfs.fds(monitor))
    for _ in range(300):
        with unix(served) as sock:
            sock.sendall(HALF + b"\r\n")
    assert reload(served).returncode == 0
    until("they are forgotten", lambda: len(procfs.fds(monitor)) <= base)
    assert served.monitors() == [monitor]


def test_a_half_closed_client_is_answered(served):
    with unix(served) as sock:
        sock.sendall(HALF + b"\r\n")
        sock.shutdown(socket.SHUT_WR)
        assert answer_to(sock, b"").startswith(b"HTTP/1.1 200 ")


def test_the_socket_goes_with_it(served):
    assert served.sock.exists()
    served.close()
    assert not served.sock.exists()
    done = reload(served)
    assert done.returncode == 1
    assert re.search(r"unix:\S+: error: .*\(is it running\?\)", done.stderr)


def test_term_answers_who_waits(served, tmp_path):
    fifo = tmp_path / "slow"
    os.mkfifo(fifo)
    served.path.write_text(re.sub("cert = .*", f"cert = {fifo}", served.path.read_text()))
    asking = subprocess.Popen([gate_module.SALLYPORT, "reload", "-c", served.path],
                              env=gate_module.environment(), stderr=subprocess.PIPE, text=True)
    until("the loader", lambda: len(procfs.children(served.pid)) == 4)
    served.close()
    said = asking.communicate(timeout=PATIENCE)[1]
    assert asking.returncode == 1
    assert "error: sallyport is ending" in said


def test_killed_master_ends_the_monitor_and_leaves_a_socket_that_is_replaced(
        served, sallyport, certs):
    children = procfs.children(served.pid)
    served.signal(signal.SIGKILL)
    served.expected_exit = served.wait()
    until("all have ended", lambda: not any(map(procfs.is_alive, children)))
    assert served.sock.exists()
    proxy = sallyport(served.path.read_text())
    proxy.sock = served.sock
    assert reload(proxy).returncode == 0
    assert client.outcome(proxy.address, certs) == "ok"


def test_a_stopped_monitor_does_not_keep_the_master(served):
    """One that never answers is killed at the end."""
    os.kill(served.monitors()[0], signal.SIGSTOP)
    served.close()
    assert not served.sock.exists()


def test_no_admin_no_monitor(gate, origin):
    proxy = gate(origin(echo).address, proxy={"workers": 2})
    assert proxy.monitors() == [] and len(procfs.children(proxy.pid)) == 2
    done = reload(proxy)
    assert done.returncode == 1
    assert "there is no admin address (set [proxy] admin = unix:" in done.stderr


def test_a_foreground_process_has_a_monitor(gate, origin, open_folder, certs):
    sock = open_folder / "admin.sock"
    proxy = gate(origin(echo).address, proxy={"workers": 0, "admin": f"unix:{sock}"})
    proxy.sock = sock
    settled(proxy, 0)
    assert procfs.children(proxy.pid) == proxy.monitors()
    assert reload(proxy).returncode == 0
    assert os.getuid() != 0 or os.stat(f"/proc/{proxy.monitors()[0]}").st_uid != 0
    assert client.outcome(proxy.address, certs) == "ok"


def test_how_the_socket_is_found(served, tmp_path):
    address = f"unix:{served.sock}"
    run, env = gate_module.run, gate_module.environment
    assert run("reload", "--admin", address).returncode == 0
    assert run("reload", env=env(SALLYPORT_ADMIN=address)).returncode == 0
    assert run("reload", env=env(SALLYPORT_CONFIG=str(served.path))).returncode == 0
    # the command line wins
    done = run("reload", "--admin", f"unix:{tmp_path}/none", env=env(SALLYPORT_ADMIN=address))
    assert done.returncode == 1 and f"unix:{tmp_path}/none: error:" in done.stderr
    done = run("reload", "--admin", "127.0.0.1:1")
    assert done.returncode == 1 and "no admin address is a Unix socket" in done.stderr
    done = run("reload", "-c", tmp_path / "none.conf")
    assert done.returncode == 1 and "none.conf: error:" in done.stderr


@pytest.mark.parametrize("how", ["no-folder", "taken", "a-file", "a-route"])
def test_an_address_that_cannot_be_had(config, origin, open_folder, tmp_path, how):
    sock = open_folder / "admin.sock"
    sections = config(origin(echo).address)
    with socket.socket(socket.AF_UNIX) as other:
        if how == "no-folder":
            sock = open_folder / "none" / "admin.sock"
            expected = f"make the folder {sock.parent}"
        elif how == "taken":
            other.bind(str(sock))
            other.listen()
            expected = "another program listens there"
        elif how == "a-file":
            sock.write_text("precious")
            expected = "the file is no socket"
        else:
            sections["route main"]["listen"] = f"unix:{sock}"
            expected = "[route main] listens there"
        sections["proxy"]["admin"] = f"unix:{sock}"
        path = tmp_path / "bad.conf"
        path.write_text(gate_module.render(sections))
        done = gate_module.run("serve", "-c", path)
        assert done.returncode == 1
        error, = [line for line in done.stderr.splitlines() if "error:" in line]
        assert re.search(r"bad\.conf:\d+: error: \[proxy\] admin = ", error) and expected in error
        assert how != "a-file" or sock.read_text() == "precious"


def test_log_and_reopening(served, tmp_path):
    """The monitor writes to the log that is in use, and holds no other."""
    log = tmp_path / "gate.log"
    served.path.write_text(served.path.read_text().replace("[proxy]", f"[proxy]\nlog = {log}"))
    assert reload(served).returncode == 0
    until("it holds the log", lambda: str(log) in procfs.fds(served.monitors()[0]))
    log.rename(tmp_path / "old.log")
    served.signal(signal.SIGUSR1)
    until("the new one alone", lambda: log.exists() and [
        f for f in procfs.fds(served.monitors()[0]) if f.endswith(".log")] == [str(log)])
