"""An end in order: quiet connections first, busy ones to their end, and what a reload removes."""

import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness import client, gate as gates
from harness.origin import banner, echo, hold
from harness.waiting import PATIENCE, until

LONG = "FLOW_LONG" in os.environ
MIB = 1 << 20


@pytest.fixture
def admin(gate, open_folder):
    """admin(upstream, …): one that has an admin socket, at .sock."""
    def start(upstream, proxy=None, **kwargs):
        sock = open_folder / "admin.sock"
        made = gate(upstream, proxy={"admin": f"unix:{sock}", **(proxy or {})}, **kwargs)
        made.sock = sock
        until("the monitor answers", lambda: curl(made, "/healthz", "GET")[0] == "200")
        return made
    return start


def curl(proxy, path, method="POST", where=None):
    """(status, body), over its Unix socket or, at an address, over TCP."""
    how = ["--unix-socket", str(proxy.sock)] if where is None else []
    done = subprocess.run(["curl", "-sS", "-X", method, *how, "-w", "\n%{http_code}",
                           f"http://{where or 'localhost'}{path}"],
                          capture_output=True, text=True, timeout=60)
    body, _, status = done.stdout.rpartition("\n")
    return status, body


def quiet(proxy, certs, n):
    """n connections that have echoed once, a second ago."""
    made = [client.Careful(proxy.address, certs).handshake() for _ in range(n)]
    for c in made:
        c.send(b"ping")
        assert c.receive(4) == b"ping"
    time.sleep(1.2)
    return made


def close_all(clients):
    for c in clients:
        c.close()


def ends(clients):
    """When each ended, in order of time; every one must end cleanly."""
    times, lock = [], threading.Lock()

    def wait(c):
        assert c.recv() == b""
        with lock:
            times.append(time.monotonic())

    threads = [threading.Thread(target=wait, args=(c,)) for c in clients]
    for t in threads:
        t.start()
    for t in threads:
        t.join(PATIENCE)
    assert len(times) == len(clients)
    return sorted(times)


class Talk(threading.Thread):
    """A client that exchanges a few bytes every tenth of a second, for so long."""

    def __init__(self, proxy, certs, seconds):
        super().__init__()
        self.client = client.Careful(proxy.address, certs).handshake()
        self.until, self.error = time.monotonic() + seconds, None
        self.client.send(b"ping")
        assert self.client.receive(4) == b"ping"
        self.start()

    def run(self):
        try:
            while time.monotonic() < self.until:
                self.client.send(b"ping")
                assert self.client.receive(4) == b"ping"
                time.sleep(0.1)
            self.client.end()
            assert self.client.recv() == b""
        except Exception as e:  # noqa: BLE001  (the test looks at it)
            self.error = e
        finally:
            self.client.close()


# --- TERM ---

@pytest.mark.parametrize("workers", [0, 1])
def test_quiet_ones_go_first_and_one_after_the_other(gate, origin, certs, workers):
    proxy = gate(origin(echo).address, proxy={"workers": workers, "drain_timeout": "20s"})
    clients = quiet(proxy, certs, 30)
    busy = Talk(proxy, certs, 3)
    began = time.monotonic()
    proxy.signal(signal.SIGTERM)
    times = ends(clients)
    assert times[-1] - began < 10, "long before the deadline"
    assert times[-1] - times[0] > 0.4, "not all in one moment: 30 turns of 20 ms"
    busy.join()
    assert busy.error is None, "what carries bytes goes on"
    assert proxy.wait() == 0
    assert sum(r.get("reason") == "drained" for r in proxy.records) == 30
    proxy.await_access(reason="done")
    close_all(clients)


def test_a_busy_one_that_falls_quiet(gate, origin, certs):
    proxy = gate(origin(echo).address, proxy={"drain_timeout": "20s"})
    with client.Careful(proxy.address, certs).handshake() as c:
        for _ in range(3):
            c.send(b"ping")
            assert c.receive(4) == b"ping"
        proxy.signal(signal.SIGTERM)
        began = time.monotonic()
        assert c.recv() == b""
        assert time.monotonic() - began > 0.8, "it was given its second"
    assert proxy.wait() == 0


def test_who_may_await_an_answer_is_given_time(gate, origin, certs):
    def slow(conn):
        assert conn.recv(4) == b"slow"
        time.sleep(3)
        conn.sendall(b"done")
        conn.recv(1)

    proxy = gate(origin(slow).address, proxy={"drain_timeout": "20s"})
    with client.Careful(proxy.address, certs).handshake() as c:
        c.send(b"slow")
        proxy.signal(signal.SIGTERM)
        assert c.receive(4) == b"done"
        assert c.recv() == b"", "and then, being quiet, it ends"
    assert proxy.wait() == 0
    proxy.await_access(reason="drained", bytes_in=4, bytes_out=4)


def test_who_never_gets_one_ends_in_order_all_the_same(gate, origin, certs):
    proxy = gate(origin(hold).address, proxy={"drain_timeout": "6s"})
    with client.Careful(proxy.address, certs).handshake() as c:
        c.send(b"told")
        time.sleep(1.2)
        began = time.monotonic()
        proxy.signal(signal.SIGTERM)
        assert c.recv() == b""
        assert 2.5 < time.monotonic() - began < 5.5, "half of its time"
    assert proxy.wait() == 0


def test_who_began_slowly_has_its_second(gate, origin, certs):
    """What it was quiet before bytes could pass does not count."""
    proxy = gate(origin(echo).address, proxy={"drain_timeout": "20s"})

    def ends_meanwhile(_):
        proxy.signal(signal.SIGTERM)
        proxy.await_message("^draining")
        time.sleep(1.5)

    with client.Careful(proxy.address, certs, cut_at=100, before_cut=ends_meanwhile) as c:
        c.handshake()
        time.sleep(0.3)
        c.send(b"ping")
        assert c.receive(4) == b"ping"
        assert c.recv() == b""
    assert proxy.wait() == 0


def test_who_says_nothing_at_all_holds_nothing_up(gate, origin):
    proxy = gate(origin(echo).address, proxy={"drain_timeout": "4s"})
    with client.dial(proxy.address) as sock:
        time.sleep(1.1)
        began = time.monotonic()
        proxy.signal(signal.SIGTERM)
        assert sock.recv(1) == b""
        assert time.monotonic() - began < 2
    assert proxy.wait() == 0


def test_hup_reloads_nothing_any_more(gate, origin, certs):
    proxy = gate(origin(echo).address)
    busy = Talk(proxy, certs, 2)
    proxy.signal(signal.SIGTERM)
    proxy.await_message("^draining")
    proxy.signal(signal.SIGHUP)
    proxy.await_message("SIGHUP reloads nothing any more")
    busy.join()
    assert busy.error is None
    assert proxy.wait() == 0


def transfers(gate, origin, certs, n, size, timeout):
    """n downloads, all of which have begun. (the proxy, threads, their hashes, the right one)"""
    block = os.urandom(MIB)
    rounds = size // MIB
    right = hashlib.sha1(block * rounds).hexdigest()

    def send(conn):
        for _ in range(rounds):
            conn.sendall(block)
        conn.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            conn.recv(1)

    proxy = gate(origin(send).address, proxy={"workers": 2, "drain_timeout": timeout})
    begun, go, got = threading.Semaphore(0), threading.Event(), []

    def fetch():
        try:
            with client.connect(proxy.address, certs) as c:
                c.settimeout(300)
                h = hashlib.sha1(c.recv(1))
                begun.release()
                go.wait()
                while data := c.recv(1 << 18):
                    h.update(data)
                got.append(h.hexdigest())
        except OSError as e:
            got.append(repr(e))

    threads = [threading.Thread(target=fetch) for _ in range(n)]
    for t in threads:
        t.start()
    for _ in threads:
        assert begun.acquire(timeout=60)
    return proxy, threads, go, got, right


def test_200_transfers_complete(gate, origin, certs):
    size = (64 if LONG else 4) * MIB
    proxy, threads, go, got, right = transfers(gate, origin, certs, 200, size, "600s")
    proxy.signal(signal.SIGTERM)
    go.set()
    for t in threads:
        t.join(600)
    assert got == [right] * 200
    assert proxy.wait(60) == 0
    ended = [r["reason"] for r in proxy.records if "reason" in r]
    assert len(ended) == 200 and "drain-cut" not in ended


def test_200_transfers_and_too_little_time(gate, origin, certs):
    proxy, threads, go, got, _ = transfers(gate, origin, certs, 200, 4 * MIB, "1s")
    proxy.expected_exit = 1
    proxy.signal(signal.SIGTERM)
    assert proxy.wait(60) == 1, "they were not even read"
    go.set()
    for t in threads:
        t.join(60)
    cut = [r for r in proxy.records if r.get("reason") == "drain-cut"]
    assert len(cut) == 200
    assert proxy.await_message("^sallyport stopped")["cut"] == "200"


def test_a_second_term_cuts(gate, origin, certs):
    proxy = gate(origin(hold).address, proxy={"drain_timeout": "60s"})
    with client.Careful(proxy.address, certs).handshake() as c:
        c.send(b"x")
        proxy.signal(signal.SIGTERM)
        proxy.await_message("^draining")
        proxy.signal(signal.SIGTERM)
        with pytest.raises((client.CutShort, ConnectionResetError)):
            c.recv()
    proxy.expected_exit = 1
    assert proxy.wait() == 1


# --- sallyport drain ---

def test_the_command_waits_for_the_end(admin, origin, certs):
    proxy = admin(origin(echo).address)
    clients = quiet(proxy, certs, 2)
    done = gates.run("drain", "-c", proxy.path)
    assert (done.returncode, done.stdout) == (0, "drained: no connection was cut\n"), done
    assert ends(clients)
    assert proxy.wait() == 0
    close_all(clients)


def test_the_command_says_what_was_cut(admin, origin, certs):
    proxy = admin(origin(echo).address, proxy={"drain_timeout": "60s"})
    busy = Talk(proxy, certs, 30)
    done = gates.run("drain", "-c", proxy.path, "--drain-timeout", "1500ms")
    assert done.returncode == 1 and done.stderr == "1 connection was cut\n", done
    busy.join()
    assert busy.error is not None
    proxy.expected_exit = 1
    assert proxy.wait() == 1


def test_whoever_asks_again_hears_the_same(admin, origin, certs):
    proxy = admin(origin(echo).address)
    busy, answers = Talk(proxy, certs, 3), []
    threads = [threading.Thread(target=lambda: answers.append(curl(proxy, "/drain")))
               for _ in range(3)]
    for t in threads:
        t.start()
    proxy.await_message("^draining")
    status, body = curl(proxy, "/reload")
    assert status == "409" and "sallyport is ending" in body, "nothing is reloaded any more"
    assert curl(proxy, "/healthz", "GET") == ("200", "ok\n"), "it is alive"
    for t in threads:
        t.join()
    busy.join()
    assert answers == [("200", '{"ok": true, "cut": 0}\n')] * 3
    assert proxy.wait() == 0


def test_the_command_is_used_wrongly(admin, origin, tmp_path):
    proxy = admin(origin(echo).address)
    done = gates.run("drain", "-c", proxy.path, "--drain-timeout", "soon")
    assert done.returncode == 1 and "--drain-timeout" in done.stderr and "10s" in done.stderr
    assert curl(proxy, "/drain?timeout=2d")[0] == "400"
    assert curl(proxy, "/drain?time=1s")[0] == "400"
    assert curl(proxy, "/drain", "GET")[0] == "405"
    assert gates.run("drain", "--admin", f"unix:{tmp_path}/none").returncode == 1
    assert not proxy.says("^draining")


def test_the_world_cannot_end_it(gate, origin):
    proxy = gate(origin(echo).address, proxy={"admin": "127.0.0.1:0"})
    where = proxy.await_message("^admin on 127")["message"].rpartition(" ")[2]
    status, body = curl(proxy, "/drain", where=where)
    assert status == "403" and "Unix" in body
    assert curl(proxy, "/healthz", "GET", where=where)[0] == "200"
    assert not proxy.says("^draining")


# --- what a reload removes ---

def test_a_route_that_is_removed(sallyport, config, origin, certs):
    app = origin(echo).address
    sections = config(app, proxy={"drain_timeout": "3s"})
    sections["route other"] = {**sections["route main"], "listen": "127.0.0.1:0",
                               "sni": "other.test"}
    proxy = sallyport(sections)
    other = [client.Careful(proxy.address, certs, name="other.test", check=False).handshake()
             for _ in range(3)]
    stays = client.Careful(proxy.address, certs).handshake()
    busy, quiet_ = other[0], other[1:]
    time.sleep(1.1)
    del sections["route other"]
    stop = threading.Event()
    failed = []

    def talk():
        try:
            while not stop.is_set():
                busy.send(b"ping")
                assert busy.receive(4) == b"ping"
                time.sleep(0.05)
        except Exception as e:  # noqa: BLE001
            failed.append((time.monotonic(), e))

    busy.send(b"x")
    assert busy.receive(1) == b"x"
    talker = threading.Thread(target=talk)
    talker.start()
    proxy.reconfigure(sections)
    began = time.monotonic()
    assert ends(quiet_)[-1] - began < 2.9
    for _ in range(2):
        proxy.await_access(reason="route-removed", route="other")
    talker.join(PATIENCE)
    stop.set()
    assert failed and 2.5 < failed[0][0] - began < 10, "it had drain_timeout"
    proxy.await_access(reason="removed-cut", route="other")
    stays.send(b"here")
    assert stays.receive(4) == b"here"
    stays.close()
    close_all(other)


def test_a_route_that_is_removed_while_a_client_comes_by_it(sallyport, config, origin, certs):
    sections = config(origin(echo).address, proxy={"drain_timeout": "8s"})
    sections["route other"] = {**sections["route main"], "sni": "other.test"}
    proxy = sallyport(sections)
    del sections["route other"]
    with client.Careful(proxy.address, certs, name="other.test", check=False, cut_at=100,
                        before_cut=lambda _: proxy.reconfigure(sections)) as c:
        c.handshake()
        c.send(b"ping")
        assert c.receive(4) == b"ping"
        assert c.recv() == b""
    proxy.await_access(reason="route-removed", route="other")


def test_a_server_that_is_removed_and_one_that_is_put_back(sallyport, config, origin, certs):
    a, b = origin(banner(b"a")), origin(banner(b"b"))
    both = config([a.address, b.address], upstream_keys={}, proxy={"drain_timeout": "10s"})
    proxy = sallyport(both)
    held = {}
    while len(held) < 2:
        c = client.Careful(proxy.address, certs).handshake()
        held[c.receive(1)] = c
    proxy.reconfigure(config([a.address], upstream_keys={}, proxy={"drain_timeout": "10s"}))
    proxy.reconfigure(both)
    time.sleep(1.5)
    for c in held.values():
        c.send(b"x")
        assert c.receive(1) == b"x", "it was put back in time"
    time.sleep(1.2)
    proxy.reconfigure(config([a.address], upstream_keys={}, proxy={"drain_timeout": "10s"}))
    assert ends([held[b"b"]])
    proxy.await_access(reason="server-removed", upstream=b.address)
    held[b"a"].send(b"x")
    assert held[b"a"].receive(1) == b"x"
    close_all(held.values())
