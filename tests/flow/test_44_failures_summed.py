"""Failures that are the same again are counted, and told of in one line for a while."""

import signal
import socket
import time

import pytest

from harness import client
from harness.origin import echo
from harness.waiting import until

FIRST, AGAIN = "TLS handshake failed", "TLS handshakes failed again"
HTTP, SSH = b"GET / HTTP/1.1\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n"


@pytest.fixture
def summing(gate, origin, certs):
    """summing(window): a gate with one worker that sums failures."""
    def start(window, **kwargs):
        return gate(origin(echo).address, env={"SALLYPORT_SUM_FAILURES": window}, **kwargs)
    return start


def fail(proxy, text, times=1, source="127.0.0.1"):
    """Plaintext, from that address; each is answered and closed before the next begins."""
    for _ in range(times):
        with socket.socket() as sock:
            sock.bind((source, 0))
            sock.settimeout(20)
            sock.connect(proxy.address)
            sock.sendall(text)
            while sock.recv(4096):
                pass


def lines(proxy, message, **fields):
    return [r for r in list(proxy.records) if r["message"] == message
            and all(r.get(k) == v for k, v in fields.items())]


def times(proxy, **fields):
    return sum(int(r["times"]) for r in lines(proxy, AGAIN, **fields))


def test_the_same_again_is_one_line(summing):
    proxy = summing("3s")
    fail(proxy, HTTP, 20)
    fail(proxy, SSH, 3)
    fail(proxy, HTTP, 5, source="127.0.0.9")
    until("all are told of", lambda: times(proxy) == 19 + 2 + 4)
    assert [r["cause"] for r in lines(proxy, FIRST)] == ["plain-http", "plaintext", "plain-http"]
    (http,) = lines(proxy, AGAIN, cause="plain-http", client="127.0.0.1")
    assert (http["times"], http["level"], http["side"]) == ("19", "warn", "client")
    assert http["reason"] == "handshake-failed" and int(http["seconds"]) >= 3
    first = lines(proxy, FIRST, cause="plain-http")[0]
    assert (http["what"], http["fix"], http["route"], http["listener"]) == (
        first["what"], first["fix"], first["route"], first["listener"])
    (other,) = lines(proxy, AGAIN, client="127.0.0.9")
    assert other["times"] == "4"


def test_who_has_stopped_is_told_of_anew(summing):
    proxy = summing("2s")
    fail(proxy, HTTP, 2)
    until("the second is told of", lambda: times(proxy) == 1)

    def told_anew():
        time.sleep(7)           # a window without any has to pass, and be looked at
        fail(proxy, HTTP)
        return len(lines(proxy, FIRST)) >= 2
    until("it has a line of its own again", told_anew)


def test_what_is_new_is_told_at_once(summing, certs):
    proxy = summing("1h", trust="clients")
    strangers = [certs.issue(f"sum-{i}", f"stranger {i}", usage="serverAuth") for i in range(3)]
    for pair in [*strangers, *strangers]:
        with pytest.raises(OSError):
            with client.connect(proxy.address, certs, client=pair) as tls:
                tls.recv(1)
    until("each is told of", lambda: len(lines(proxy, FIRST)) == 3)
    proxy.signal(signal.SIGTERM)
    proxy.wait()
    assert times(proxy) == 3
    assert {f"stranger {i}" in line["what"] for i, line in enumerate(lines(proxy, FIRST))} == {True}


def test_nothing_is_lost_at_the_end(summing):
    proxy = summing("1h")
    fail(proxy, HTTP, 7)
    fail(proxy, SSH, 1)
    proxy.signal(signal.SIGTERM)
    proxy.wait()
    assert times(proxy, cause="plain-http") == 6 and times(proxy) == 6
    (totals,) = lines(proxy, "sallyport stopped")
    assert (totals["cause_plain_http"], totals["cause_plaintext"]) == ("7", "1")
    assert totals["handshake_failed"] == "8"


def test_each_by_itself_when_that_is_wanted(summing):
    proxy = summing("0")
    fail(proxy, HTTP, 4)
    proxy.signal(signal.SIGTERM)
    proxy.wait()
    assert len(lines(proxy, FIRST)) == 4 and not lines(proxy, AGAIN)
