"""What a service manager is told (sd_notify)."""

import os
import pathlib
import re
import signal
import time

import pytest

from harness import client, gate as gates, procfs
from harness.gate import render
from harness.origin import echo
from harness.service_manager import ServiceManager
from harness.waiting import until


@pytest.fixture
def manager(open_folder, request):
    made = ServiceManager(open_folder / "notify")
    request.addfinalizer(made.close)
    return made


def test_up_and_down(gate, origin, certs, manager):
    proxy = gate(origin(echo).address, proxy={"workers": 2, "drain_timeout": "20s"},
                 env=manager.variables)
    said = manager.await_message("READY")
    assert said["STATUS"] == "generation 1, workers: 2, connections: 0"
    with client.Careful(proxy.address, certs).handshake() as c:
        c.send(b"ping")
        assert c.receive(4) == b"ping"
        proxy.signal(signal.SIGTERM)
        said = manager.await_message("STOPPING")
        assert said["STATUS"] == "draining: generation 1, workers: 2, connections: 1"
        assert manager.await_message("EXTEND_TIMEOUT_USEC")["EXTEND_TIMEOUT_USEC"] == "30000000"
    assert proxy.wait() == 0
    assert {pid for pid, _ in manager.messages} == {proxy.pid}, "the master alone speaks"
    assert all("WATCHDOG" not in m for _, m in manager.messages)


def test_an_abstract_socket(gate, origin, request):
    manager = ServiceManager(f"@sallyport-{os.getpid()}")
    request.addfinalizer(manager.close)
    gate(origin(echo).address, env=manager.variables)
    manager.await_message("READY")


def test_a_reload_and_one_that_fails(gate, origin, manager):
    proxy = gate(origin(echo).address, env=manager.variables)
    manager.await_message("READY")
    before = time.monotonic_ns() // 1000
    proxy.signal(signal.SIGHUP)
    said = manager.await_message("RELOADING")
    assert before <= int(said["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert manager.await_message("READY")["STATUS"].startswith("generation 2,")

    good = proxy.path.read_text()
    proxy.path.write_text(good + "[rout]\nlisten = 1\n")
    proxy.signal(signal.SIGHUP)
    manager.await_message("RELOADING")
    status = manager.await_message("READY")["STATUS"]
    assert re.match(r"generation 2, .*; the last reload failed: .*rout", status), status
    proxy.path.write_text(good)
    proxy.signal(signal.SIGHUP)
    manager.await_message("RELOADING")
    assert "failed" not in manager.await_message("READY")["STATUS"]


def test_nobody_else_is_given_the_socket(gate, origin, manager, open_folder):
    proxy = gate(origin(echo).address, proxy={"admin": f"unix:{open_folder}/admin.sock"},
                 env=manager.variables)
    proxy.monitor()
    manager.await_message("READY")
    ours = procfs.datagram_sockets(proxy.pid)
    assert len(ours) == 1
    for pid in procfs.children(proxy.pid):
        assert not ours & procfs.datagram_sockets(pid)


def test_alive_while_it_turns(gate, origin, manager):
    proxy = gate(origin(echo).address,
                 env={**manager.variables, "WATCHDOG_USEC": "400000"})
    for _ in range(3):
        manager.await_message("WATCHDOG")
    os.kill(proxy.pid, signal.SIGSTOP)
    while manager.hears(0.5):
        pass                        # what was on its way, and then nothing
    os.kill(proxy.pid, signal.SIGCONT)
    manager.await_message("WATCHDOG")


def test_the_watchdog_of_another_process(gate, origin, manager):
    gate(origin(echo).address, env={**manager.variables, "WATCHDOG_USEC": "100000",
                                    "WATCHDOG_PID": "1"})
    manager.await_message("READY")
    assert manager.hears(1) is None


def test_connections_are_in_the_status(gate, origin, certs, manager):
    proxy = gate(origin(echo).address, env={**manager.variables, "WATCHDOG_USEC": "400000"})
    with client.Careful(proxy.address, certs).handshake():
        until("it says so", lambda: "connections: 1" in manager.await_message("STATUS")["STATUS"])


def test_a_start_that_takes_long_is_given_the_time(sallyport, config, origin, certs, manager,
                                                   tmp_path):
    sections = config(origin(echo).address, store={
        "cert": tmp_path / "late.pem", "key": certs.server.key, "wait_files": "20s"})
    path = tmp_path / "waits.conf"
    path.write_text(render(sections))
    proxy = gates.Gate(["serve", "-c", path], listeners=0, env=manager.variables)
    try:
        us = int(manager.await_message("EXTEND_TIMEOUT_USEC")["EXTEND_TIMEOUT_USEC"])
        assert us == 30_000_000
        (tmp_path / "late.pem").write_bytes(pathlib.Path(certs.server.cert).read_bytes())
        manager.await_message("READY")
    finally:
        proxy.close()


def test_a_socket_that_is_not_there(gate, origin, certs, tmp_path):
    proxy = gate(origin(echo).address, env={"NOTIFY_SOCKET": str(tmp_path / "none")})
    assert client.outcome(proxy.address, certs) == "ok"
    until("a warning", lambda: any("systemd is not told" in e for e in proxy.errors + proxy.output))
