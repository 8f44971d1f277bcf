"""`sallyport tunnel`: one command, and the line it prints works."""

import json
import pathlib
import re
import shlex
import signal

import pytest

from harness import tools
from harness.gate import Gate, run
from harness.origin import http_hello
from harness.waiting import until


class Tunnel:
    def __init__(self, *args):
        self.gate = Gate(["tunnel", *args])
        until("it says how it ends", lambda: any("Ctrl-C" in s for s in self.gate.output))
        self.commands = [shlex.split(s) for s in self.gate.output if s.startswith("  ")]
        self.curl, self.curl_with_cert = [c for c in self.commands if c[0] == "curl"]
        self.ca = pathlib.Path(self.curl[self.curl.index("--cacert") + 1])

    def close(self, number=signal.SIGTERM):
        if self.gate.process.poll() is None:
            self.gate.signal(number)
        assert self.gate.wait() == 0
        self.gate.close()


@pytest.fixture
def tunnel():
    made = []

    def start(*args):
        made.append(Tunnel(*args))
        return made[-1]
    yield start
    for t in made:
        t.close()


def curl(command, path="", *more):
    *args, url = command[1:]
    done = tools.run("curl", "--silent", "--show-error", "--fail", "--noproxy", "*", *args, *more,
                     url.rstrip("/") + "/" + path)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_line_it_prints(tunnel):
    t = tunnel("127.0.0.1:0")
    text = curl(t.curl)
    assert "TLSv1.3" in text and "no client certificate" in text and "<" not in text
    page = curl(t.curl, "", "--header", "Accept: text/html,*/*;q=0.8")      # as browsers do
    assert "<!DOCTYPE html>" in page and "TLSv1.3" in page


def test_the_page_knows_the_connection(tunnel):
    t = tunnel("0")
    facts = json.loads(curl(t.curl, "json"))
    assert facts["version"] == "TLSv1.3"
    assert facts["suite"] and facts["group"] and facts["route"]
    assert facts["identity"] is None and facts["subject"] is None
    facts = json.loads(curl(t.curl_with_cert, "json"))
    assert facts["identity"] and facts["subject"] and facts["not_after"]
    assert t.gate.await_access(identity=facts["identity"])["id"] == facts["connection"]
    name, = re.findall(r"https://([^:/]+)", t.curl[-1])
    assert facts["sni"] == (None if re.fullmatch(r"[\d.]+", name) else name)


@pytest.mark.parametrize("args", [("--tlsv1.2", "--tls-max", "1.2"), ("--http1.0",),
                                  ("--head",)])
def test_other_ways_to_ask(tunnel, args):
    t = tunnel("0")
    assert curl([*t.curl[:1], *args, *t.curl[1:]])


def test_keep_alive(tunnel):
    t = tunnel("0")
    url = t.curl[-1]
    twice = curl([*t.curl[:-1], "--write-out", "%{num_connects} ", "-o", "/dev/null", url + "json",
                  "-o", "/dev/null", url])
    assert twice == "1 0 "


def test_in_front_of_a_service(tunnel, origin):
    t = tunnel("127.0.0.1:0", origin(http_hello).address)
    assert curl(t.curl, "some/where") == "you asked: GET /some/where HTTP/1.1\n"
    s_client, = [c for c in t.commands if c[0] == "openssl"]
    said, code = tools.converse(*s_client, send=b"GET / HTTP/1.0\r\n\r\n",
                                expect=b"you asked: GET / HTTP/1.0\n")
    assert code == 0 and "you asked: GET / HTTP/1.0\n" in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_nothing_stays_behind(tunnel, number):
    t = tunnel("0")
    folder = t.ca.parent
    assert folder.stat().st_mode & 0o077 == 0
    assert curl(t.curl)
    t.close(number)
    assert not folder.exists()


def test_an_address_that_is_taken(origin):
    taken = origin().address
    done = run("tunnel", taken)
    assert done.returncode == 1
    assert taken in done.stderr and "in use" in done.stderr


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:x", "127.0.0.1:70000"])
def test_addresses_that_are_none(address):
    done = run("tunnel", address)
    assert done.returncode == 2
    assert address in done.stderr
