"""Servers by name: which addresses are used, and what a bad name server cannot do."""

import collections
import os
import signal
import socket
import statistics
import threading
import time

import pytest

from harness import client, procfs
from harness.name_server import NameServer
from harness.origin import Origin, banner, echo
from harness.waiting import until

NAME = "db.sally.test"
FAR = "192.0.2.1"       # nobody's (RFC 5737), and not loopback


@pytest.fixture
def dns():
    server = NameServer()
    yield server
    server.close()


@pytest.fixture
def places():
    """places(n): servers on one port of 127.0.0.2, .3 …, which say the last number and echo."""
    made = []

    def make(n, handler=banner):
        first = Origin(handler(b"2") if handler is banner else handler, at=("127.0.0.2", 0))
        made.append(first)
        port = first.socket.getsockname()[1]
        for i in range(3, 2 + n):
            made.append(Origin(handler(b"%d" % i) if handler is banner else handler,
                               at=(f"127.0.0.{i}", port)))
        return port

    yield make
    for one in made:
        one.close()


def who(proxy, certs):
    with client.connect(proxy.address, certs) as tls:
        return tls.recv(1).decode()


def crowd(proxy, certs, times=8):
    return collections.Counter(who(proxy, certs) for _ in range(times))


def named(gate, dns, port, keys=None, **how):
    return gate(f"{NAME}:{port}", proxy={"resolver": dns.address, **how.pop("proxy", {})},
                upstream_keys=keys or {}, **how)


def moves_to(proxy, certs, wanted):
    """All of eight connections in a row go to these."""
    until(f"connections to {wanted}", lambda: set(crowd(proxy, certs)) == wanted)


def test_each_address_is_a_server(gate, dns, places, certs):
    port = places(3)
    dns.names[NAME] = ["127.0.0.2", "127.0.0.3", "127.0.0.4"], 60
    proxy = named(gate, dns, port)
    line = proxy.await_message("^a name resolves$")
    assert line["addresses"] == ", ".join(f"127.0.0.{i}:{port}" for i in (2, 3, 4))
    assert line["name"] == f"{NAME}:{port}"
    assert crowd(proxy, certs, 9) == {"2": 3, "3": 3, "4": 3}


def test_new_connections_follow_what_changes(gate, dns, places, certs):
    port = places(2)
    dns.names[NAME] = ["127.0.0.2"], 1
    proxy = named(gate, dns, port)
    with client.connect(proxy.address, certs) as held:
        assert held.recv(1) == b"2"
        dns.names[NAME] = ["127.0.0.3"], 1
        line = proxy.await_message("^a name has other addresses$")
        assert (line["addresses"], line["before"]) == (f"127.0.0.3:{port}", f"127.0.0.2:{port}")
        moves_to(proxy, certs, {"3"})
        held.sendall(b"x")
        assert held.recv(1) == b"x"     # who is there already stays


def test_not_before_the_ttl_is_over(gate, dns, places, certs):
    port = places(1)
    dns.names[NAME] = ["127.0.0.2"], 300
    proxy = named(gate, dns, port)
    assert who(proxy, certs) == "2"
    asked = dns.questions()
    time.sleep(2.5)                     # of a TTL of 1 s it would have been asked twice by now
    assert dns.questions() == asked


def test_a_ttl_of_nothing_is_a_second(gate, dns, places, certs):
    port = places(1)
    dns.names[NAME] = ["127.0.0.2"], 0
    proxy = named(gate, dns, port)
    assert who(proxy, certs) == "2"
    until("three rounds of questions", lambda: dns.questions() >= 6)
    times = [when for when, _, kind in dns.asked if kind == 1]
    assert all(later - before > 0.9 for before, later in zip(times, times[1:])), times


@pytest.mark.parametrize("how, why", [
    ("nxdomain", "there is no such name"), ("servfail", None), ("garbage", None),
    ("wrong_id", "no answer from a name server"), ("silent", "no answer from a name server")])
def test_the_last_good_addresses_stay(gate, dns, places, certs, how, why):
    port = places(1)
    dns.names[NAME] = ["127.0.0.2"], 1
    proxy = named(gate, dns, port)
    assert who(proxy, certs) == "2"
    dns.names[NAME] = ["127.0.0.9"], 1          # what it would tell, were it heard
    dns.behave = how
    line = proxy.await_message("^a name does not resolve any more: its addresses stay$", 60)
    assert line["addresses"] == f"127.0.0.2:{port}"
    assert line["error"] == why or why is None
    asked = dns.questions()
    until("it is asked again", lambda: dns.questions() > asked)
    assert crowd(proxy, certs) == {"2": 8}
    assert sum("does not resolve" in r["message"] for r in proxy.records) == 1
    dns.names[NAME] = ["127.0.0.2"], 1
    dns.behave = "well"
    assert int(proxy.await_message("^a name resolves again$", 60)["failures"]) > 0


def test_the_first_answer_is_waited_for(gate, dns, places, certs):
    port = places(1)
    proxy = named(gate, dns, port, keys={"connect_timeout": "30s"})     # it knows no name yet
    assert proxy.await_message("^a name does not resolve$")["error"] == "there is no such name"
    with client.connect(proxy.address, certs) as tls:
        dns.names[NAME] = ["127.0.0.2"], 60
        assert tls.recv(1) == b"2"


def test_without_an_answer_it_ends(gate, dns, certs):
    proxy = named(gate, dns, 9, keys={"connect_timeout": "300ms"})
    with client.connect(proxy.address, certs) as tls:
        assert client_is_cut(tls)
    proxy.await_access(reason="upstream-unresolved")


def client_is_cut(tls):
    try:
        return tls.recv(1) == b""
    except OSError:
        return True


def test_plaintext_is_not_led_astray(gate, dns, places, certs):
    port = places(1)
    dns.names[NAME] = [FAR, "127.0.0.2"], 1
    proxy = named(gate, dns, port, keys={"connect_timeout": "300ms"})
    line = proxy.await_message("^a name has addresses that plaintext_to does not allow$")
    assert line["addresses"] == f"{FAR}:{port}"
    assert crowd(proxy, certs) == {"2": 8}
    dns.names[NAME] = [FAR], 1
    proxy.await_message("^a name has other addresses$")
    with client.connect(proxy.address, certs) as tls:
        assert client_is_cut(tls)
    proxy.await_access(reason="upstream-forbidden")


def test_the_hosts_file_needs_no_server(gate, dns, certs, origin):
    name = socket.gethostname()
    with open("/etc/hosts", encoding="ascii") as hosts:
        if not any(line.split("#")[0].split()[:1] == ["127.0.0.1"] and name in line.split()[1:]
                   for line in hosts):
            pytest.skip("this host's own name is not 127.0.0.1 in /etc/hosts")
    server = origin(echo)
    dns.behave = "silent"
    proxy = gate(f"{name}:{server.address.rsplit(':', 1)[1]}", proxy={"resolver": dns.address},
                 upstream_keys={})
    assert client.outcome(proxy.address, certs) == "ok"
    assert dns.questions() == 0


def test_the_monitor_dies_and_nobody_forgets(gate, dns, places, certs):
    port = places(2)
    dns.names[NAME] = ["127.0.0.2", "127.0.0.3"], 1
    proxy = named(gate, dns, port)
    assert set(crowd(proxy, certs)) == {"2", "3"}
    dns.behave = "silent"
    os.kill(proxy.monitor(), signal.SIGKILL)
    assert set(crowd(proxy, certs)) == {"2", "3"}
    proxy.await_message("^the monitor is replaced by process")
    # It knows of the addresses only what the one before it told.
    proxy.await_message("^a name does not resolve any more", 60)
    assert set(crowd(proxy, certs)) == {"2", "3"}
    for pid in proxy.workers():
        if pid != proxy.monitor():
            os.kill(pid, signal.SIGKILL)
    proxy.await_message("^worker 0 is replaced")
    assert set(crowd(proxy, certs)) == {"2", "3"}


def test_a_reload_brings_names_and_takes_them(sallyport, config, dns, places, certs, origin):
    port = places(1)
    plain = origin(banner(b"p"))
    dns.names[NAME] = ["127.0.0.2"], 60

    def rewrite(upstream):
        sections = config(upstream, proxy={"resolver": dns.address}, upstream_keys={})
        proxy.reconfigure(sections)

    proxy = sallyport(config(plain.address, proxy={"resolver": dns.address}, upstream_keys={}))
    assert len(procfs.children(proxy.pid)) == 1         # nothing to do for a monitor
    rewrite([plain.address, f"{NAME}:{port}"])
    moves_to(proxy, certs, {"p", "2"})
    rewrite(plain.address)
    moves_to(proxy, certs, {"p"})
    until("the monitor is gone", lambda: len(procfs.children(proxy.pid)) == 1)


# --- a live connection ---

def ping_pong(tls, seconds):
    """The times in ms that single bytes take to come back."""
    took, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.monotonic()
        tls.sendall(b".")
        assert tls.recv(1) == b"."
        took.append((time.monotonic() - begin) * 1000)
        time.sleep(0.001)
    return sorted(took)


def percentile(times, share):
    return times[min(len(times) - 1, int(len(times) * share))]


def test_no_name_server_delays_a_live_connection(gate, dns, places, certs, record_property):
    port = places(1, handler=echo)
    dns.names[NAME] = ["127.0.0.2"], 1
    proxy = named(gate, dns, port, keys={"check": "tcp", "check_interval": "100ms"})
    stop = threading.Event()
    with client.connect(proxy.address, certs) as tls:
        ping_pong(tls, 0.5)
        quiet, loud = ping_pong(tls, 3), []
        asked = dns.questions()

        def misbehave():
            while not stop.is_set():
                for how in ("silent", "garbage", "wrong_id", "nxdomain", "slow", "well"):
                    dns.behave = how
                    stop.wait(0.3)

        villain = threading.Thread(target=misbehave)
        villain.start()
        try:
            loud = ping_pong(tls, 9)
        finally:
            stop.set()
            villain.join()
    assert dns.questions() > asked
    for share in (0.5, 0.99):
        before, during = percentile(quiet, share), percentile(loud, share)
        print(f"{share:.0%} of the bytes are back within {during:.2f} ms; quiet {before:.2f} ms")
        assert during - before < 5, (share, before, during)
    # Had one waited for a lookup, it would be late by all of its time, 2 s or more.
    assert loud[-1] < 1000 + quiet[-1], (quiet[-1], loud[-1])
    assert statistics.median(loud) < 50
