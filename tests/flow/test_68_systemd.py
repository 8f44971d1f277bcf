"""With a real systemd: readiness, reload, watchdog, USR2 and socket activation."""

import os
import signal
import socket

import pytest

from harness import client, gate as gates
from harness.gate import render
from harness.origin import echo
from harness.user_systemd import UserSystemd
from harness.waiting import until

SERVICE = """
[Service]
Type=notify
Environment=SALLYPORT_DUMPABLE=1
ExecStart={program} serve -c {conf}
ExecReload={program} check -c {conf}
ExecReload=kill -HUP $MAINPID
KillMode=mixed
{more}
"""

SOCKET = """
[Socket]
ListenStream={address[0]}:{address[1]}
FileDescriptorName=web
"""


@pytest.fixture
def systemd(tmp_path, open_folder, request):
    """systemd(sections, more="", **sockets): the manager, and sallyport as a unit of it."""
    def start(sections, more="", **units):
        conf = tmp_path / "unit.conf"
        conf.write_text(render(sections))
        service = SERVICE.format(program=os.path.realpath(gates.SALLYPORT), conf=conf, more=more)
        made = UserSystemd(open_folder, {"sallyport.service": service, **units})
        request.addfinalizer(made.close)
        if made.unusable:
            pytest.skip(made.unusable)
        made.conf = conf
        return made
    return start


@pytest.fixture
def free():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        address = sock.getsockname()
    return address


def main_pid(manager):
    return int(manager.show("sallyport", "MainPID"))


def test_it_is_started_reloaded_and_ended(systemd, config, origin, certs, free):
    manager = systemd(config(origin(echo).address, listen="%s:%d" % free))
    assert manager.ctl("start", "sallyport")[0] == 0
    assert client.outcome(free, certs) == "ok", "start waits until it serves"
    assert manager.show("sallyport", "StatusText").startswith("generation 1, workers: 1,")
    assert manager.ctl("reload", "sallyport")[0] == 0
    until("it has reloaded", lambda: manager.show("sallyport", "StatusText")
          .startswith("generation 2,"))
    good = manager.conf.read_text()
    manager.conf.write_text(good + "[rout x]\n")
    assert manager.ctl("reload", "sallyport")[0] != 0
    assert manager.show("sallyport", "ActiveState") == "active"
    manager.conf.write_text(good)
    assert manager.ctl("stop", "sallyport")[0] == 0
    assert manager.show("sallyport", "Result") == "success"


def test_a_start_that_fails(systemd, config, origin):
    manager = systemd(config(origin(echo).address, store={"cert": "/no/such/file"}))
    assert manager.ctl("start", "sallyport")[0] != 0
    assert manager.show("sallyport", "ActiveState") == "failed"


def test_another_takes_over(systemd, config, origin, certs, free):
    manager = systemd(config(origin(echo).address, listen="%s:%d" % free), more="WatchdogSec=2")
    manager.ctl("start", "sallyport")
    pids = {main_pid(manager)}
    for n in (2, 3):
        os.kill(main_pid(manager), signal.SIGUSR2)
        until("another is the service", lambda: len(pids | {main_pid(manager)}) == n)
        pids.add(main_pid(manager))
        assert client.outcome(free, certs) == "ok"
    assert manager.show("sallyport", "ActiveState") == "active"
    assert manager.show("sallyport", "NRestarts") == "0"
    # It is the one whose watchdog counts now.
    os.kill(main_pid(manager), signal.SIGSTOP)
    until("systemd ends it", lambda: manager.show("sallyport", "Result") == "watchdog")


def test_it_is_started_by_who_comes(systemd, config, origin, certs, free):
    manager = systemd(config(origin(echo).address, listen="systemd:web"),
                      **{"sallyport.socket": SOCKET.format(address=free)})
    assert manager.ctl("start", "sallyport.socket")[0] == 0
    assert main_pid(manager) == 0
    assert client.outcome(free, certs) == "ok"
    first = main_pid(manager)
    os.kill(first, signal.SIGUSR2)
    until("another is the service", lambda: main_pid(manager) not in (0, first))
    assert client.outcome(free, certs) == "ok"
    assert manager.ctl("restart", "sallyport")[0] == 0
    assert client.outcome(free, certs) == "ok"
    assert manager.show("sallyport", "ActiveState") == "active"
    assert manager.ctl("stop", "sallyport.socket", "sallyport")[0] == 0
