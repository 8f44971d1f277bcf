"""listen = systemd:NAME, and admin."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from harness import client, gate as gates, procfs
from harness.gate import Gate, render
from harness.origin import echo
from harness.waiting import until

ACTIVATION = pathlib.Path(__file__).parent / "harness" / "activation.py"


@pytest.fixture
def activated(config, tmp_path, request):
    """activated(sections, sockets, …): the program, started with sockets: a list of (name, one)."""
    def start(sections, sockets, **kwargs):
        path = tmp_path / "activated.conf"
        path.write_text(render(sections))
        args = [ACTIVATION, *(f"{name}={s.fileno()}" for name, s in sockets), "--",
                gates.SALLYPORT, "serve", "-c", path]
        made = Gate(args, program=sys.executable, pass_fds=[s.fileno() for _, s in sockets],
                    **kwargs)
        made.path = path
        request.addfinalizer(made.close)
        return made
    return start


@pytest.fixture
def tcp():
    with socket.create_server(("127.0.0.1", 0), backlog=128) as sock:
        yield sock


def systemd(config, upstream, *names, proxy=None):
    return config(upstream, listen=[f"systemd:{n}" for n in names], proxy=proxy)


def test_a_tcp_socket(activated, config, origin, certs, tcp):
    proxy = activated(systemd(config, origin(echo).address, "web", proxy={"workers": 2}),
                      [("web", tcp)])
    assert proxy.address == tcp.getsockname()
    for _ in range(8):
        assert client.outcome(proxy.address, certs) == "ok"
    assert proxy.await_access(reason="done")["listener"] == "systemd:web"


def test_who_came_before_it_started_is_served(activated, config, origin, certs, tcp):
    waiting = [client.Careful(tcp.getsockname(), certs) for _ in range(5)]
    activated(systemd(config, origin(echo).address, "web"), [("web", tcp)])
    for c in waiting:
        c.handshake()
        c.send(b"ping")
        assert c.receive(4) == b"ping"
        c.close()


def test_by_systemds_own_hand(config, origin, certs, tmp_path, request):
    """systemd-socket-activate starts it when somebody comes."""
    if not shutil.which("systemd-socket-activate"):
        pytest.skip("no systemd-socket-activate")
    with socket.create_server(("127.0.0.1", 0)) as sock:
        address = sock.getsockname()
    path = tmp_path / "sallyport.conf"
    path.write_text(render(systemd(config, origin(echo).address, "web")))
    proxy = Gate(["--fdname=web", "-l", "%s:%d" % address, gates.SALLYPORT, "serve", "-c", path],
                 program="systemd-socket-activate", listeners=0)
    request.addfinalizer(proxy.close)

    def comes():
        try:
            return client.Careful(address, certs)
        except ConnectionRefusedError:
            return None

    first = until("it listens", comes)
    first.handshake()
    first.send(b"ping")
    assert first.receive(4) == b"ping"
    first.close()
    assert proxy.await_listener() == address
    assert client.outcome(address, certs) == "ok"


def test_the_right_one_of_several(activated, config, origin, certs, tcp, open_folder):
    path = str(open_folder / "web.sock")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(path)
        unix.listen()
        os.chmod(path, 0o666)
        proxy = activated(systemd(config, origin(echo).address, "b", "a"),
                          [("a", tcp), ("b", unix)], listeners=2)
        assert proxy.listeners == [path, tcp.getsockname()]
        for address in proxy.listeners:
            assert client.outcome(address, certs) == "ok"
        proxy.close()
        assert os.path.exists(path), "it is systemd's to remove"


def test_admin(activated, config, origin, tcp, open_folder):
    path = str(open_folder / "admin.sock")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(path)
        unix.listen()
        os.chmod(path, 0o666)
        proxy = activated(systemd(config, origin(echo).address, "web",
                                  proxy={"admin": "systemd:ops"}), [("web", tcp), ("ops", unix)])
        proxy.await_message(f"^admin on unix:{path}")
        done = gates.run("reload", "--admin", f"unix:{path}")
        assert done.returncode == 0, done
        proxy.close()
        assert os.path.exists(path)


def test_reloads_keep_it_and_bring_it_back(activated, config, origin, certs, tcp):
    upstream = origin(echo).address
    with_it = systemd(config, upstream, "web", proxy={"workers": 2})
    proxy = activated(with_it, [("web", tcp)])
    proxy.reconfigure(with_it)
    assert client.outcome(tcp.getsockname(), certs) == "ok"
    proxy.reconfigure(config(upstream, proxy={"workers": 2}))
    waiting = client.Careful(tcp.getsockname(), certs)
    time.sleep(0.5)
    before = sum(map(procfs.cpu_seconds, proxy.workers()))
    time.sleep(1)
    assert sum(map(procfs.cpu_seconds, proxy.workers())) - before < 0.3, \
        "who knocks at a socket that it does not serve any more does not keep it busy"
    proxy.reconfigure(with_it)
    waiting.handshake()
    waiting.send(b"ping")
    assert waiting.receive(4) == b"ping"
    waiting.close()


def test_while_it_drains_others_knock_in_vain_and_cost_nothing(activated, config, origin, certs,
                                                                tcp):
    sections = systemd(config, origin(echo).address, "web", proxy={"drain_timeout": "30s"})
    proxy = activated(sections, [("web", tcp)])
    worker, = proxy.workers()
    with client.Careful(tcp.getsockname(), certs).handshake() as busy:
        busy.send(b"x")
        assert busy.receive(1) == b"x"
        proxy.signal(signal.SIGTERM)
        proxy.await_message("^draining")
        time.sleep(0.3)
        with client.dial(tcp.getsockname()):
            before = procfs.cpu_seconds(worker)
            for _ in range(10):
                busy.send(b"x")
                assert busy.receive(1) == b"x"
                time.sleep(0.1)
            assert procfs.cpu_seconds(worker) - before < 0.3
    assert proxy.wait() == 0


@pytest.mark.parametrize("handed, reason", [
    ([], "systemd handed over no sockets"),
    ([("other", "tcp"), ("more", "tcp")], "no socket named web; it has other, more"),
    ([("web", "tcp"), ("web", "tcp")], "2 sockets named web"),
    ([("web", "udp")], "systemd's socket web: it carries datagrams, not streams"),
    ([("web", "deaf")], "systemd's socket web: nothing can be accepted from it"),
    ([("web", "file")], "systemd's socket web: it is no socket"),
])
def test_wrong_ones(config, tmp_path, tcp, handed, reason):
    path = tmp_path / "sallyport.conf"
    path.write_text(render(systemd(config, "127.0.0.1:9", "web")))
    with contextlib.ExitStack() as stack:
        things = {"tcp": tcp,
                  "udp": stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
                  "deaf": stack.enter_context(socket.socket(socket.AF_INET)),
                  "file": stack.enter_context(open("/dev/null"))}
        pairs = [(name, things[what].fileno()) for name, what in handed]
        env = gates.environment()
        done = subprocess.run(
            [sys.executable, ACTIVATION, *(f"{n}={fd}" for n, fd in pairs), "--",
             gates.SALLYPORT, "serve", "-c", path], capture_output=True, text=True, timeout=60,
            pass_fds=[fd for _, fd in pairs], env=env)
    assert done.returncode == 1
    line, = [line for line in done.stderr.splitlines() if "error" in line]
    number = path.read_text().splitlines().index("listen = systemd:web") + 1
    assert line.startswith(f"{path}:{number}: ") and "listen" in line and reason in line
    assert "FileDescriptorName=web" in line
    assert gates.run("check", "-c", path).returncode == 0, "that is for who starts it to see"


def test_those_of_another_process_are_not_ours(gate, origin):
    done = gates.run("serve", "--listen", "systemd:web", "--upstream", "127.0.0.1:9", "--cert", "x",
                     env=gates.environment(LISTEN_FDS="1", LISTEN_PID="1"))
    assert done.returncode == 1
    proxy = gate(origin(echo).address, env={"LISTEN_FDS": "1", "LISTEN_PID": "1"})
    until("it runs", proxy.workers)


@pytest.mark.parametrize("name, reason", [("", "needs the name"), ("a:b", "no colon"),
                                          ("x" * 120, "at most")])
def test_wrong_names(config, tmp_path, name, reason):
    path = tmp_path / "sallyport.conf"
    path.write_text(render(systemd(config, "127.0.0.1:9", name)))
    done = gates.run("check", "-c", path)
    assert done.returncode == 1 and reason in done.stdout, done.stdout


def test_not_to_be_reached_through(config, tmp_path):
    path = tmp_path / "sallyport.conf"
    path.write_text(render(config("systemd:web")))
    done = gates.run("check", "-c", path)
    assert done.returncode == 1 and "one to listen on" in done.stdout, done.stdout
