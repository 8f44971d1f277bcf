"""Several routes on one address: by server name and ALPN, each with its own certificate, its own
demands of clients, and its own upstream."""

import socket
import ssl
import subprocess

import pytest

from harness import client
from harness.origin import echo
from harness.waiting import PATIENCE, until


def saying(word):
    """A service that says which one it is."""
    def handle(conn):
        conn.sendall(word.encode())
        while conn.recv(4096):
            pass
    return handle


@pytest.fixture(scope="module")
def pairs(certs):
    return {name: certs.issue(f"route-{name}", name, usage="serverAuth",
                              names=f"DNS:{name}.example,DNS:*.{name}.example")
            for name in ("one", "two", "plain")}


@pytest.fixture
def several(sallyport, origin, certs, pairs):
    """several(unknown_sni=…): routes one and two by name, two for clients with certificates; h2 on
    the name of one; plain for all others."""
    def start(unknown_sni="default", **more):
        sections = {"proxy": {"workers": 1, "drain_timeout": "5s"},
                    "listener 127.0.0.1:0": {"unknown_sni": unknown_sni},
                    "trust clients": {"ca": certs.ca.cert}}
        for name, pair in pairs.items():
            sections[f"store {name}"] = {"cert": pair.cert, "key": pair.key}
        keys = {"one": {"sni": "one.example, *.one.example", "store": "one"},
                "one-h2": {"sni": "one.example", "alpn": "h2", "store": "one"},
                "two": {"sni": "two.example", "trust": "clients", "store": "two"},
                "plain": {"store": "plain"}}
        keys = {name: {**row, **more.get(name.replace("-", "_"), {})}
                for name, row in keys.items()}
        for name, row in keys.items():
            sections[f"route {name}"] = {"listen": "127.0.0.1:0", **row,
                                         "upstream": origin(saying(name)).address}
        gate = sallyport(sections)
        gate.sections = sections
        return gate
    return start


def ask(gate, certs, name, **how):
    """(the route's word, the CN of its certificate)"""
    with client.connect(gate.address, certs, name=name, check="chain", **how) as tls:
        return (tls.recv(100).decode(),
                dict(pair[0] for pair in tls.getpeercert()["subject"])["commonName"])


@pytest.mark.parametrize("version", client.VERSIONS, ids=client.version_id)
def test_by_name(several, certs, version):
    gate = several()
    assert ask(gate, certs, "one.example", version=version) == ("one", "one")
    assert ask(gate, certs, "ONE.Example", version=version) == ("one", "one")
    assert ask(gate, certs, "a.one.example", version=version) == ("one", "one")
    assert ask(gate, certs, "two.example", version=version, client=certs.client) == ("two", "two")
    for other in ("a.b.one.example", "a.two.example", "else.example", None):
        assert ask(gate, certs, other, version=version) == ("plain", "plain"), other
    line = gate.await_access(route="two")
    assert line["sni"] == "two.example" and "identity" in line
    assert "identity" not in gate.await_access(route="plain")


def test_by_alpn(several, certs):
    gate = several()
    assert ask(gate, certs, "one.example", alpn=["h2"]) == ("one-h2", "one")
    assert ask(gate, certs, "one.example", alpn=["http/1.1", "h2"]) == ("one-h2", "one")
    assert ask(gate, certs, "one.example", alpn=["http/1.1"]) == ("one", "one")
    assert ask(gate, certs, "a.one.example", alpn=["h2"]) == ("one", "one")


@pytest.mark.parametrize("version", client.VERSIONS, ids=client.version_id)
def test_demands_are_the_routes_own(several, certs, version):
    """Whatever a client says, it comes to `two` with a certificate only."""
    gate = several()
    for alpn in (None, ["h2"]):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            ask(gate, certs, "two.example", version=version, alpn=alpn)
        assert gate.await_access(route="two")["cause"] == "no-client-certificate"
    # A session of a route that asks nothing is not taken by the one that does.
    ctx = client.context(certs, check="chain", version=version)
    with ctx.wrap_socket(client.dial(gate.address), server_hostname="plain.example") as tls:
        assert tls.recv(100) == b"plain"
        session = tls.session
    with pytest.raises((ssl.SSLError, ConnectionError)):
        with ctx.wrap_socket(client.dial(gate.address), server_hostname="two.example",
                             session=session) as tls:
            tls.recv(100)
    assert gate.await_access(route="two")["cause"] == "no-client-certificate"


def test_unknown_names_are_refused_where_that_is_wanted(several, certs):
    gate = several(unknown_sni="reject")
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        ask(gate, certs, "else.example")
    line = gate.await_access(reason="handshake-failed")
    assert line["cause"] == "unknown-server-name" and line["sni"] == "else.example"
    assert '"else.example"' in line["what"] and "sni" in line["fix"]
    # A certificate of the route for all others has the name; who asks for none is served.
    assert ask(gate, certs, "a.plain.example") == ("plain", "plain")
    assert ask(gate, certs, None) == ("plain", "plain")
    assert ask(gate, certs, "a.one.example") == ("one", "one")


@pytest.mark.parametrize("name, word", [("one.example", "one"), (None, "plain")])
@pytest.mark.parametrize("tool", ["openssl", "gnutls"])
def test_other_clients(several, certs, tool, name, word):
    gate = several()
    host, port = gate.address
    if tool == "openssl":
        args = ["openssl", "s_client", "-connect", f"{host}:{port}", "-CAfile", certs.ca.cert,
                "-quiet", "-verify_quiet",
                *(["-servername", name] if name else ["-noservername"])]
    else:
        args = ["gnutls-cli", "--x509cafile", certs.ca.cert, "-p", str(port), host,
                "--no-ca-verification", *(["--sni-hostname", name] if name else ["--disable-sni"])]
    with subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as tool:
        said = b""
        while not said.endswith(word.encode()):
            more = tool.stdout.read(1)
            assert more, said
            said += more
        tool.kill()
    assert gate.await_access(route=word).get("sni") == name


def hello_of(certs, name, padding=0):
    """The bytes of a ClientHello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client.context(certs, check="chain", alpn=["x" * 200 + str(i) for i in range(padding)]
                         or None).wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return tls, incoming, outgoing, outgoing.read()


def finish(sock, tls, incoming, outgoing):
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            sock.sendall(outgoing.read())
            incoming.write(sock.recv(65536))
    sock.sendall(outgoing.read())
    while True:
        try:
            return tls.read(100).decode()
        except ssl.SSLWantReadError:
            incoming.write(sock.recv(65536))


@pytest.mark.parametrize("cut", ["segments", "records"])
def test_a_hello_in_pieces(several, certs, cut):
    gate = several()
    tls, incoming, outgoing, hello = hello_of(certs, "one.example")
    with client.dial(gate.address) as sock:
        if cut == "records":
            body = hello[5:]
            hello = b"".join(b"\x16\x03\x01\x00\x01" + body[i:i + 1] for i in range(len(body)))
            sock.sendall(hello)
        else:
            for i in range(len(hello)):
                sock.sendall(hello[i:i + 1])
        assert finish(sock, tls, incoming, outgoing) == "one"


def test_a_hello_too_long_to_be_routed_by_is_the_default_routes(several, certs):
    gate = several()
    tls, incoming, outgoing, hello = hello_of(certs, "one.example", padding=85)
    assert len(hello) > 16384
    with client.dial(gate.address) as sock:
        sock.sendall(hello)
        assert finish(sock, tls, incoming, outgoing) == "plain"


def test_a_reload_adds_and_takes_routes_on_a_live_address(several, certs, origin):
    gate = several()
    live = client.connect(gate.address, certs, name="one.example", check="chain")
    assert live.recv(100) == b"one"
    assert ask(gate, certs, "new.example") == ("plain", "plain")
    sections = dict(gate.sections)
    del sections["route one"]
    sections["route new"] = {"listen": "127.0.0.1:0", "sni": "new.example", "store": "two",
                             "upstream": origin(saying("new")).address}
    gate.reconfigure(sections)
    assert ask(gate, certs, "new.example") == ("new", "two")
    assert ask(gate, certs, "a.one.example") == ("plain", "plain")
    live.settimeout(0.2)
    with pytest.raises(TimeoutError):
        live.recv(1)                    # it goes on
    live.close()
    assert gate.await_access(route="one")["reason"] == "client-cut"


# --- limits of a listener ---

@pytest.fixture
def listening(sallyport, config, origin):
    """listening(max_connections=…, …): one route, with these keys of its listener."""
    def start(proxy=None, route=None, **listener):
        made = config(origin(echo).address, proxy=proxy, **(route or {}))
        made["listener 127.0.0.1:0"] = listener
        return sallyport(made)
    return start


def echoes(tls):
    tls.sendall(b"x")
    return tls.recv(1) == b"x"


def test_connections_over_the_limit_wait(listening, certs):
    gate = listening(max_connections=3, proxy={"workers": 2})
    open_now = [client.connect(gate.address, certs) for _ in range(3)]
    assert all(echoes(tls) for tls in open_now)
    waiting = client.dial(gate.address)
    waiting.settimeout(0.5)
    waiting.sendall(hello_of(certs, "localhost")[3])
    with pytest.raises(TimeoutError):
        waiting.recv(1)
    open_now.pop().close()
    waiting.settimeout(PATIENCE)
    assert waiting.recv(1) == b"\x16"
    for sock in [waiting, *open_now]:
        sock.close()


def test_one_source_has_its_share(listening, certs):
    """The limit is the listener's, not a worker's."""
    gate = listening(max_connections_per_ip=3, proxy={"workers": 2})
    mine = [client.connect(gate.address, certs) for _ in range(3)]
    assert all(echoes(tls) for tls in mine)
    with client.dial(gate.address) as one_more:
        assert one_more.recv(1) == b""
    assert gate.await_access(reason="too-many-from-source")["client"].startswith("127.0.0.1:")
    with socket.create_connection(gate.address, timeout=PATIENCE,
                                  source_address=("127.0.0.2", 0)) as other:
        with client.context(certs).wrap_socket(other, server_hostname="localhost") as tls:
            assert echoes(tls)
    mine.pop().close()

    def served():
        try:
            with client.connect(gate.address, certs) as again:
                return echoes(again)
        except OSError:
            return False

    until("the source has a place again", served)
    for tls in mine:
        tls.close()


def test_one_source_has_its_pace(listening, certs):
    gate = listening(handshake_rate_per_ip=5, proxy={"workers": 2})

    def burst():
        """How many of twenty come through."""
        socks = [client.dial(gate.address) for _ in range(20)]
        through = 0
        for sock in socks:
            sock.settimeout(0.3)
            try:
                through += sock.recv(1) != b""
            except TimeoutError:
                through += 1
            except ConnectionError:
                pass
        for sock in socks:
            sock.close()
        return through

    assert burst() in range(5, 11)      # the second may have turned once on the way
    assert gate.await_access(reason="too-fast-from-source")
    until("the source is served again", lambda: echoes(client.connect(gate.address, certs)))


# --- plaintext on the same port ---

def test_plaintext_from_where_it_is_allowed(listening, certs):
    gate = listening(route={"plaintext_from": "127.0.0.1/32", "trust": "clients"})
    for first in (b"GET / HTTP/1.1\r\n\r\n", b"\x04\x00\x00\x00\x05", b"\x00\x00\x00\x2c",
                  b"\x16\x03\x00\x00\x00\x00\x00\x00", b"\xff\xff\xff\x81", b"P"):
        with client.dial(gate.address) as sock:
            sock.sendall(first)
            assert sock.recv(100) == first
        line = gate.await_access(tls="off")
        assert line["bytes_in"] == str(len(first)) and "suite" not in line
    with client.connect(gate.address, certs, client=certs.client) as tls:
        assert echoes(tls)
    assert "identity" in gate.await_access(tls="TLSv1.3")


def test_plaintext_from_elsewhere_is_refused(listening, certs):
    gate = listening(route={"plaintext_from": "127.0.0.3/32"})
    with client.dial(gate.address) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert sock.recv(1) in (b"", b"\x15")
    assert gate.await_access(reason="handshake-failed")["cause"] == "plain-http"


def test_a_service_that_speaks_first_is_heard_in_plaintext(sallyport, config, origin):
    gate = sallyport(config(origin(saying("welcome")).address, plaintext_from="loopback"))
    with client.dial(gate.address) as sock:
        assert sock.recv(100) == b"welcome"
    # A timer's clock may be some milliseconds behind the one of the log.
    assert float(gate.await_access(tls="off")["total_ms"]) >= 2950
