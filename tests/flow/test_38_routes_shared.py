"""One address for clients of every kind, as careless ones and attackers meet it: nobody comes to
what asks for certificates but who shows one. (Java and gRPC: test_38_shared_clients.py.)"""

import re
import subprocess

import pytest

from harness import client, tools
from harness.origin import echo
from harness.waiting import PATIENCE


@pytest.fixture(scope="module")
def pairs(certs):
    return {name: certs.issue(f"shared-{name}", name, usage="serverAuth", names=names)
            for name, names in (("web", "DNS:web.example"), ("grpc", "DNS:grpc.example"),
                                ("inner", "DNS:inner.example"), ("old", "DNS:old.example"))}


class Shared:
    """The gate, and who stands behind the route for certificates: nobody shall come there."""

    def __init__(self, gate, inner):
        self.gate, self.address, self.inner = gate, gate.address, inner


@pytest.fixture
def shared(sallyport, origin, certs, pairs):
    inner = origin()
    services = {"web": "builtin:page", "grpc": origin(echo).address, "inner": inner.address,
                "old": origin(echo).address}
    sections = {"proxy": {"workers": 1, "drain_timeout": "5s"},
                "trust clients": {"ca": certs.ca.cert}}
    routes = {"web": {"sni": "web.example", "alpn": "http/1.1"},
              "grpc": {"sni": "grpc.example", "alpn": "h2"},
              "inner": {"sni": "inner.example, *.inner.example", "trust": "clients",
                        "groups": "P-384"},
              "old": {"groups": "P-384"}}
    for name, row in routes.items():
        sections[f"store {name}"] = {"cert": pairs[name].cert, "key": pairs[name].key}
        sections[f"route {name}"] = {"listen": "127.0.0.1:0", "store": name,
                                     "upstream": services[name], **row}
    return Shared(sallyport(sections), inner)


def test_curl(shared, certs):
    port = shared.address[1]
    done = tools.run("curl", "-sS", "--cacert", certs.ca.cert, "--resolve",
                     f"web.example:{port}:127.0.0.1", f"https://web.example:{port}/")
    assert done.returncode == 0 and "web.example" in done.stdout, done.stderr
    line = shared.gate.await_access(route="web")
    assert (line["sni"], line["alpn"]) == ("web.example", "http/1.1")
    # By the address it asks for no name, and is shown another certificate.
    done = tools.run("curl", "-sS", "--cacert", certs.ca.cert, f"https://127.0.0.1:{port}/")
    assert done.returncode == 60, done.stderr
    assert "sni" not in shared.gate.await_access(route="old")


def test_who_shows_a_certificate(shared, certs):
    for name in ("inner.example", "a.inner.example"):
        with client.connect(shared.address, certs, name=name, check="chain", client=certs.client):
            shared.inner.accept().close()
        assert shared.gate.await_access(route="inner")["identity"] == "cn:alice"


def hello(certs, name):
    """A client in memory, and its first flight."""
    c = client.Careful.__new__(client.Careful)
    c._in, c._out = client.ssl.MemoryBIO(), client.ssl.MemoryBIO()
    c.tls = client.context(certs, check=False).wrap_bio(c._in, c._out, server_hostname=name)
    with pytest.raises(client.ssl.SSLWantReadError):
        c.tls.do_handshake()
    return c, c._out.read()


def go_on(shared, c, first, change=lambda flight: flight):
    """The rest of its handshake, every flight changed on the way; how it ended."""
    with client.dial(shared.address) as sock:
        sock.sendall(first)
        for _ in range(10):
            try:
                more = sock.recv(65536)
            except ConnectionError:
                return "reset"
            if not more:
                return "closed"
            c._in.write(more)
            try:
                c.tls.do_handshake()
                sock.sendall(change(c._out.read()))
                c.tls.write(b"x")
                sock.sendall(c._out.read())
            except client.ssl.SSLWantReadError:
                if flight := c._out.read():
                    sock.sendall(change(flight))
            except client.ssl.SSLError as e:
                return e.reason
            except ConnectionError:
                return "reset"
    return "open"


NAMES = [b"inner.example", b"INNER.example", b"a.inner.example", b"inner.example.",
         b"*.inner.example"]


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_no_way_of_writing_the_name_leads_past_the_certificate(shared, certs, name):
    """As the client says it, and put into its bytes on the way, so that OpenSSL may not refuse."""
    text = name.decode()
    for written in (text, "x" * len(text)):
        c, first = hello(certs, written)
        first = first.replace(written.encode(), name)
        assert name in first
        assert go_on(shared, c, first) != "open"
        line = shared.gate.await_access(route="inner")
        assert line["reason"] == "handshake-failed" and "identity" not in line
    assert shared.inner.nobody_came()


@pytest.mark.parametrize("name", [b"inner.exampl\0", b"\0nner.example", b"inner.example..",
                                  b"inner.example\0", b" inner.example"], ids=repr)
def test_what_is_not_the_name_is_the_default_routes(shared, certs, name):
    written = "x" * len(name)
    c, first = hello(certs, written)
    go_on(shared, c, first.replace(written.encode(), name))
    shared.gate.await_access(route="old")
    assert shared.inner.nobody_came()


@pytest.mark.parametrize("first_name, then", [("other.example", "inner.example"),
                                              ("inner.example", "other.example")])
def test_another_name_after_a_retry(shared, certs, first_name, then):
    """Both routes take P-384 alone, which the client has to be told: its second ClientHello asks
    for another name. The first has chosen the route, with all that it demands."""
    retried = []

    def rename(flight):
        if flight.count(first_name.encode()) == 1:
            retried.append(flight)
        return flight.replace(first_name.encode(), then.encode())

    c, first = hello(certs, first_name)
    assert go_on(shared, c, first, rename) != "open"
    assert len(retried) == 1, "there was no HelloRetryRequest"
    line = shared.gate.await_access(route="inner" if first_name == "inner.example" else "old")
    assert line["reason"] == "handshake-failed"
    assert shared.inner.nobody_came()


def test_two_names_in_one_hello(shared, certs):
    """RFC 6066 3 forbids it; the first counts here, and OpenSSL refuses."""
    name, other = b"other.example", b"inner.example"
    c, first = hello(certs, name.decode())
    both = b"".join(b"\0" + len(n).to_bytes(2, "big") + n for n in (name, other))
    entry = b"\0\0" + (len(both) + 2).to_bytes(2, "big") + len(both).to_bytes(2, "big") + both
    begin, end = first.index(name) - 9, first.index(name) + len(name)
    assert first[begin:begin + 2] == b"\0\0"
    grown = len(entry) - (end - begin)
    patched = bytearray(first[:begin] + entry + first[end:])

    def add(position, width):
        number = int.from_bytes(patched[position:position + width], "big") + grown
        patched[position:position + width] = number.to_bytes(width, "big")

    add(3, 2)                                           # the record
    add(6, 3)                                           # the message
    p = 5 + 4 + 2 + 32
    p += 1 + patched[p]                                 # session id
    p += 2 + int.from_bytes(patched[p:p + 2], "big")    # suites
    p += 1 + patched[p]                                 # compression
    add(p, 2)                                           # the extensions
    assert go_on(shared, c, bytes(patched)) != "open"
    shared.gate.await_access(route="old", reason="handshake-failed")
    assert shared.inner.nobody_came()


def test_gnutls_and_openssl_by_name(shared, certs):
    host, port = shared.address
    said = subprocess.run(["openssl", "s_client", "-connect", f"{host}:{port}", "-servername",
                           "grpc.example", "-alpn", "h2", "-CAfile", str(certs.ca.cert)],
                          input="Q\n", capture_output=True, text=True, timeout=PATIENCE).stdout
    assert "ALPN protocol: h2" in said and re.search(r"subject=CN ?= ?grpc", said)
    said = subprocess.run(["gnutls-cli", "-p", str(port), host, "--sni-hostname", "grpc.example",
                           "--verify-hostname", "grpc.example", "--alpn", "h2",
                           f"--x509cafile={certs.ca.cert}"],
                          input="", capture_output=True, text=True, timeout=PATIENCE).stdout
    assert "Application protocol: h2" in said and "The certificate is trusted" in said
