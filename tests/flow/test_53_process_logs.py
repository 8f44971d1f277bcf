"""Where the log goes: a file that is reopened on USR1; what access_log = off leaves."""

import re
import signal

import pytest

from harness import client, logs
from harness.origin import echo
from harness.waiting import until


def records(path):
    return [logs.parse(line) for line in path.read_text().splitlines()] if path.exists() else []


def accesses(path):
    return [r for r in records(path) if "reason" in r]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_log_file_is_reopened_on_usr1(gate, origin, certs, tmp_path, workers):
    log, old = tmp_path / "sallyport.log", tmp_path / "sallyport.log.1"
    proxy = gate(origin(echo).address, proxy={"workers": workers, "log": log}, listeners=0)
    started = until("it started", lambda: [r for r in records(log)
                                           if r["message"].startswith("listening on ")])
    address = re.search(r"([\d.]+):(\d+)", started[0]["message"])
    address = (address[1], int(address[2]))

    assert client.outcome(address, certs) == "ok"
    until("the first line", lambda: len(accesses(log)) == 1)
    log.rename(old)
    assert client.outcome(address, certs) == "ok"
    until("the second line", lambda: len(accesses(old)) == 2)
    assert not log.exists(), "not before it is asked to"

    proxy.signal(signal.SIGUSR1)
    until("the new file", lambda: any(r["message"] == "log reopened" for r in records(log)))
    assert client.outcome(address, certs) == "ok"
    until("the third line", lambda: len(accesses(log)) == 1)
    assert len(accesses(old)) == 2
    assert proxy.output == []


def test_a_log_that_cannot_be_reopened_is_not_said_to_be(gate, origin, tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    log, moved = folder / "sallyport.log", tmp_path / "moved"
    proxy = gate(origin(echo).address, proxy={"log": log}, listeners=0)
    until("it started", lambda: any("listening on" in r["message"] for r in records(log)))
    folder.rename(moved)
    old = moved / "sallyport.log"

    proxy.signal(signal.SIGUSR1)
    until("the error", lambda: any("the old one stays in use" in r["message"]
                                   for r in records(old)))
    proxy.signal(signal.SIGUSR2)
    until("what follows", lambda: any("did not take over" in r["message"] for r in records(old)))
    assert not any(r["message"] == "log reopened" for r in records(old))


def test_access_log_off(gate, origin, certs):
    """What an operator may have to act on is told all the same."""
    proxy = gate(origin(echo).address, proxy={"access_log": "off"})
    assert client.outcome(proxy.address, certs) == "ok"
    with client.dial(proxy.address) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        proxy.await_access(reason="handshake-failed")
    assert not proxy.has(reason="done")


@pytest.mark.parametrize("where", ["stdout", "stderr"])
def test_standard_streams(gate, origin, where):
    proxy = gate(origin(echo).address, proxy={"log": where})
    assert bool(proxy.output) == (where == "stdout")
    assert bool(proxy.errors) == (where == "stderr")


def test_log_level(gate, origin, certs, open_folder):
    """With errors alone there is nothing to say of a day on which all goes well."""
    path = open_folder / "gate.sock"
    proxy = gate(origin(echo).address, proxy={"log_level": "error"}, listeners=0,
                 listen=f"unix:{path}")
    until("it listens", path.exists)
    assert client.outcome(str(path), certs) == "ok"
    proxy.close()
    assert proxy.records == []
