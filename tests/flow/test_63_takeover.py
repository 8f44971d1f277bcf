"""USR2: another process takes over the sockets, and the old one drains."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess

import pytest

from harness import client, gate as gates, procfs
from harness.gate import Gate, render
from harness.origin import echo
from harness.service_manager import ServiceManager
from harness.succession import Adopted, await_successor, orphans_adopted, swap
from harness.waiting import until


@pytest.fixture(autouse=True)
def orphans():
    with orphans_adopted():
        yield


def talk(c, data=b"ping"):
    c.send(data)
    return c.receive(len(data)) == data


def serves(proxy, certs, times=4):
    for _ in range(times):
        assert client.outcome(proxy.address, certs) == "ok"


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_one_after_the_other(gate, origin, certs, workers):
    proxy = gate(origin(echo).address, proxy={"workers": workers})
    pids = {proxy.pid}
    for _ in range(3):
        swap(proxy)
        pids.add(proxy.pid)
        serves(proxy, certs)
        assert len(procfs.children(proxy.pid)) == workers
    assert len(pids) == 4


def test_what_is_open_is_served_to_its_end_by_the_old_one(gate, origin, certs):
    proxy = gate(origin(echo).address, proxy={"workers": 2, "drain_timeout": "60s"})
    busy = [client.Careful(proxy.address, certs).handshake() for _ in range(10)]
    assert all(talk(c) for c in busy)
    proxy.signal(signal.SIGUSR2)
    proxy.await_message("^draining: 10 connections have 1m")
    for i in range(20):
        assert all(talk(c, b"%d" % i) for c in busy)
        serves(proxy, certs, 1)
    for c in busy:
        c.end()
        assert c.recv() == b""
        c.close()
    await_successor(proxy)


def test_unix_sockets_and_admin(sallyport, config, origin, certs, open_folder):
    admin, front = open_folder / "admin.sock", open_folder / "front.sock"
    proxy = sallyport(config(origin(echo).address, listen=["127.0.0.1:0", f"unix:{front}"],
                             proxy={"admin": f"unix:{admin}"}), listeners=2)
    inodes = [p.stat().st_ino for p in (admin, front)]
    for _ in range(2):
        swap(proxy)
        assert [p.stat().st_ino for p in (admin, front)] == inodes
        for address in proxy.listeners:
            assert client.outcome(address, certs) == "ok"
        done = gates.run("reload", "-c", proxy.path)
        assert done.returncode == 0, done
        assert len(proxy.monitors()) == 1
    proxy.close()
    assert not admin.exists() and not front.exists(), "the last one removes what was the first's"


def test_sessions_are_resumed(gate, origin, certs):
    proxy = gate(origin(echo).address)
    with client.connect(proxy.address, certs) as c:
        c.sendall(b"ping")
        assert c.recv(4) == b"ping"
        session = c.session
        context = c.context
    swap(proxy)
    with socket.create_connection(proxy.address) as raw:
        with context.wrap_socket(raw, server_hostname="localhost", session=session) as c:
            c.sendall(b"ping")
            assert c.recv(4) == b"ping"
            assert c.session_reused


def test_another_number_of_workers(sallyport, config, origin, certs):
    upstream = origin(echo).address
    proxy = sallyport(config(upstream, proxy={"workers": 2}))
    for n in (3, 1, 2):
        proxy.path.write_text(render(config(upstream, proxy={"workers": n})))
        swap(proxy)
        assert len(proxy.workers()) == n
        serves(proxy, certs, 12)


def test_an_address_more_and_one_less(sallyport, config, origin, certs, open_folder):
    upstream = origin(echo).address
    gone, come = open_folder / "gone.sock", open_folder / "come.sock"
    proxy = sallyport(config(upstream, listen=["127.0.0.1:0", f"unix:{gone}"]), listeners=2)
    proxy.path.write_text(render(config(upstream, listen=["127.0.0.1:0", f"unix:{come}"])))
    swap(proxy)
    serves(proxy, certs)
    assert client.outcome(str(come), certs) == "ok"
    assert not gone.exists()


# --- which file is run ---

@pytest.fixture
def installed(config, origin, open_folder, request):
    """installed(name): a running copy of the program, in a folder where it can be replaced."""
    def start(name="sallyport"):
        path = open_folder / name
        if not path.exists():
            shutil.copy(gates.SALLYPORT, path)
        conf = open_folder / "sallyport.conf"
        conf.write_text(render(config(origin(echo).address)))
        made = Gate(["serve", "-c", conf], program=path)
        made.path = conf
        request.addfinalizer(made.close)
        return made, path
    return start


def inode_run_by(pid):
    return os.stat(f"/proc/{pid}/exe").st_ino


def replace(path, source, mode=0o755):
    new = path.with_name(path.name + ".new")
    shutil.copy(source, new)
    new.chmod(mode)
    new.rename(path)


def test_a_file_that_was_replaced(installed, certs):
    proxy, path = installed()
    before = inode_run_by(proxy.pid)
    replace(path, gates.SALLYPORT)
    swap(proxy)
    assert inode_run_by(proxy.pid) == path.stat().st_ino != before
    serves(proxy, certs)


def test_a_link_that_leads_elsewhere(installed, open_folder, certs):
    for version in ("1", "2"):
        (open_folder / version).mkdir()
        shutil.copy(gates.SALLYPORT, open_folder / version / "sallyport")
    (open_folder / "current").symlink_to("1")
    proxy, path = installed("current/sallyport")
    (open_folder / "next").symlink_to("2")
    (open_folder / "next").rename(open_folder / "current")
    swap(proxy)
    assert os.readlink(f"/proc/{proxy.pid}/exe") == str(open_folder / "2" / "sallyport")
    serves(proxy, certs)


def goes_on(proxy, certs, why):
    proxy.await_message(rf"^process \d+ did not take over, and this one goes on: .*{why}")
    serves(proxy, certs)
    assert proxy.process.poll() is None


@pytest.mark.parametrize("broken, why", [
    (None, "cannot run .*/sallyport: No such file"),
    (("/bin/ls", 0o644), "cannot run .*/sallyport: Permission denied"),
    (("/bin/false", 0o755), "ended with status 1"),
    (("README", 0o755), "cannot run .*/sallyport: Exec format error"),
])
def test_a_file_that_is_no_program_of_use(installed, certs, tmp_path, broken, why):
    proxy, path = installed()
    (tmp_path / "README").write_text("not a program")
    if broken is None:
        path.unlink()
    else:
        replace(path, tmp_path / broken[0], broken[1])      # an absolute one is itself
    proxy.signal(signal.SIGUSR2)
    goes_on(proxy, certs, why)
    replace(path, gates.SALLYPORT)
    swap(proxy)
    serves(proxy, certs)


# --- what can go wrong ---

def test_a_configuration_that_is_wrong(sallyport, config, origin, certs, open_folder):
    admin, front = open_folder / "admin.sock", open_folder / "front.sock"
    proxy = sallyport(config(origin(echo).address, listen=["127.0.0.1:0", f"unix:{front}"],
                             proxy={"admin": f"unix:{admin}"}), listeners=2)
    good = proxy.path.read_text()
    for bad, why in ((good + "[rout x]\n", "rout x"),
                     (good.replace("workers = 1", "workers = 1\nlog = /no/such/folder/log"),
                      "/no/such/folder/log"),
                     # Found when its sockets are there already.
                     (good.replace("listen = 127", "listen = 192.0.2.1:9\nlisten = 127"),
                      "no such address")):
        proxy.path.write_text(bad)
        proxy.signal(signal.SIGUSR2)
        goes_on(proxy, certs, why)
        assert client.outcome(str(front), certs) == "ok" and admin.exists()
    proxy.path.write_text(good)
    swap(proxy)
    serves(proxy, certs)
    assert gates.run("reload", "-c", proxy.path).returncode == 0


@pytest.fixture
def waiting(sallyport, config, origin, certs, tmp_path):
    """One whose successor waits for a file; and that file."""
    late = tmp_path / "late.pem"
    shutil.copy(certs.server.cert, late)
    proxy = sallyport(config(origin(echo).address, store={
        "cert": late, "key": certs.server.key, "wait_files": "120s"}, proxy={"reload": "signal"}))
    late.unlink()
    proxy.signal(signal.SIGUSR2)
    until("it waits", lambda: any("waiting up to" in line for line in proxy.errors))
    return proxy, late


def test_only_one_at_a_time(waiting, certs):
    proxy, late = waiting
    proxy.signal(signal.SIGUSR2)
    proxy.await_message("^nothing takes over: another one is being started already")
    shutil.copy(certs.server.cert, late)
    await_successor(proxy)
    serves(proxy, certs)


def test_term_while_it_starts(waiting):
    proxy, _ = waiting
    successor = max(procfs.children(proxy.pid))
    proxy.signal(signal.SIGTERM)
    assert proxy.wait() == 0
    until("the other one is gone", lambda: not procfs.is_alive(successor))
    with contextlib.suppress(ChildProcessError):
        os.waitpid(successor, 0)


def test_a_reload_while_it_starts_is_not_lost(waiting, certs):
    proxy, late = waiting
    proxy.signal(signal.SIGHUP)
    proxy.await_message("^reload failed")
    shutil.copy(certs.server.cert, late)
    await_successor(proxy)
    assert proxy.await_message("^reload done")["cause"] == "hup"


def test_the_old_one_is_killed_while_it_starts(waiting, certs):
    """Whoever waits at the sockets does so in vain for a while, and is served all the same."""
    proxy, late = waiting
    successor = max(procfs.children(proxy.pid))
    proxy.process.kill()
    assert proxy.process.wait() == -signal.SIGKILL
    proxy.process = Adopted(successor)
    early = client.Careful(proxy.address, certs)
    shutil.copy(certs.server.cert, late)
    early.handshake()
    assert talk(early)
    early.close()
    proxy.await_message("^taken over")
    serves(proxy, certs)


@pytest.mark.skipif("FLOW_LONG" not in os.environ, reason="it takes a minute")
def test_one_that_never_comes_to_serve(installed, certs, tmp_path):
    proxy, path = installed()
    (tmp_path / "sleeps").write_text("#!/bin/sh\nexec sleep 1000\n")
    replace(path, tmp_path / "sleeps")
    proxy.signal(signal.SIGUSR2)
    proxy.await_message("^process .* goes on: it did not come to serve within a minute", 90)
    serves(proxy, certs)


def test_one_that_is_killed_while_it_starts(waiting, certs):
    proxy, _ = waiting
    successor = max(procfs.children(proxy.pid))
    os.kill(successor, signal.SIGKILL)
    goes_on(proxy, certs, "was killed by signal 9")


def test_not_while_it_drains(gate, origin, certs):
    proxy = gate(origin(echo).address, proxy={"drain_timeout": "60s"})
    with client.Careful(proxy.address, certs).handshake() as c:
        assert talk(c)
        proxy.signal(signal.SIGTERM)
        proxy.await_message("^draining")
        proxy.signal(signal.SIGUSR2)
        proxy.await_message("SIGUSR2 starts nothing any more")
        assert talk(c)
    assert proxy.wait() == 0


def test_process_1_cannot_be_replaced(sallyport, config, origin, certs, tmp_path, request):
    if subprocess.run(["unshare", "--pid", "--fork", "true"], capture_output=True).returncode:
        pytest.skip("no PID namespace can be made here")
    path = tmp_path / "sallyport.conf"
    path.write_text(render(config(origin(echo).address)))
    made = Gate(["--pid", "--fork", "--kill-child", gates.SALLYPORT, "serve", "-c", path],
                program="unshare")
    request.addfinalizer(made.close)
    inner, = procfs.children(made.pid)
    os.kill(inner, signal.SIGUSR2)
    made.await_message("^nothing takes over: process 1 cannot be replaced")
    serves(made, certs)
    os.kill(inner, signal.SIGTERM)
    assert made.wait() == 0


def test_a_variable_that_is_not_ours():
    done = gates.run("serve", "--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:9", "--cert", "x",
                     env=gates.environment(SALLYPORT_TAKEOVER="0"))
    assert done.returncode == 1
    assert "SALLYPORT_TAKEOVER is set, and not by a sallyport" in done.stderr


# --- systemd ---

def test_the_service_manager_is_told(gate, origin, open_folder, certs, request):
    manager = ServiceManager(open_folder / "notify")
    request.addfinalizer(manager.close)
    proxy = gate(origin(echo).address, env={**manager.variables, "WATCHDOG_USEC": "400000"})
    first = proxy.pid
    manager.await_message("READY", pid=first)
    for _ in range(2):
        manager.messages.clear()
        swap(proxy)
        assert manager.await_message("READY", pid=proxy.pid)["STATUS"]
        manager.await_message("WATCHDOG", pid=proxy.pid)
        told = [(pid, m) for pid, m in manager.messages if "MAINPID" in m]
        assert [(pid, m["MAINPID"]) for pid, m in told] == [(first, str(proxy.pid))]
        after = manager.messages[manager.messages.index(told[0]) + 1:]
        assert {pid for pid, _ in after} == {proxy.pid}, "the old one says nothing more"
        first = proxy.pid
    proxy.close()
    manager.await_message("STOPPING", pid=first)


def test_a_password_from_a_pipe(sallyport, config, origin, certs, tmp_path, request):
    key = tmp_path / "secret.key"
    subprocess.run(["openssl", "pkey", "-in", certs.server.key, "-aes256", "-passout",
                    "pass:hidden", "-out", key], check=True, capture_output=True)
    read, write = os.pipe()
    os.write(write, b"hidden\n")
    os.close(write)
    sections = config(origin(echo).address, store={"cert": certs.server.cert, "key": key,
                                                   "password_file": f"fd:{read}"})
    path = tmp_path / "piped.conf"
    path.write_text(render(sections))
    proxy = Gate(["serve", "-c", path], pass_fds=[read])
    request.addfinalizer(proxy.close)
    os.close(read)
    for _ in range(2):
        swap(proxy)
        serves(proxy, certs)

