"""mode = bridge: TLS in, TLS out; who the client is goes along inside of the second."""

import hashlib
import socket
import ssl

import pytest

from harness import client, tls_origin
from harness.client import Careful, CutShort, VERSIONS, version_id
from harness.gate import run
from harness.origin import echo, receive, reset
from harness.proxy_header import read_header
from harness.tls_origin import OverTls, server_context
from test_46_originate import FAILED, MIB


@pytest.fixture
def service(origin, certs):
    """service(handler, …): a TLS service with a certificate of the other CA."""
    pair = getattr(certs, "bridge_far", None) or certs.issue(
        "bridge-far", "far", ca=certs.other_ca, usage="serverAuth", names="IP:127.0.0.1")
    certs.bridge_far = pair

    def start(handler=tls_origin.echo, before=None, **how):
        tls = OverTls(server_context(certs, pair=pair, **how), handler, before)
        made = origin(tls)
        made.tls = tls
        return made
    return start


@pytest.fixture
def bridging(certs, config):
    """bridging(server, keys={…}, **route): a route that trusts the other CA for its server."""
    def make(server, keys=None, **route):
        sections = config(server, upstream_keys={"tls_trust": "far", **(keys or {})},
                          mode="bridge", **route)
        sections["trust far"] = {"ca": certs.other_ca.cert}
        return sections
    return make


@pytest.fixture
def bridge(bridging, sallyport):
    def start(server, keys=None, env=None, **route):
        return sallyport(bridging(server, keys, **route), env=env)
    return start


@pytest.mark.parametrize("version", VERSIONS, ids=version_id)
def test_bytes_and_ends_pass_both_tls(bridge, service, certs, version):
    far = service(version=version)
    proxy = bridge(far.address)
    for n in range(3):
        with Careful(proxy.address, certs, version=version).handshake() as c:
            c.send(b"ping")
            assert c.receive(4) == b"ping"
            c.end()
            assert c.recv() == b""
        line = proxy.await_access(reason="done", tls=version.name.replace("_", "."))
        assert (line["upstream_tls"], line["upstream_identity"]) == (line["tls"], "cn:far")
        assert line["upstream_resumed"] == ("yes" if n else "no")
    assert far.tls.resumed == [False, True, True]


def test_the_service_is_told_who_the_client_is(bridge, service, certs):
    """PROXY v2, inside of TLS."""
    told = []

    def handler(tls):
        told.append(read_header(tls))
        tls_origin.echo(tls)
    far = service(handler)
    proxy = bridge(far.address, keys={"proxy_protocol": "v2"}, trust="clients", alpn="h2")
    with Careful(proxy.address, certs, client=certs.client, alpn=["h2"]).handshake() as c:
        ours = c.sock.getsockname()
        c.send(b"ping")
        assert c.receive(4) == b"ping"
        c.end()
        assert c.recv() == b""
    assert proxy.await_access(reason="done")["bytes_in"] == "4"
    (source, destination), found = told[0]
    assert source == ours and destination == proxy.address
    assert (found["cn"], found["alpn"]) == (b"alice", b"h2")
    assert found["client"] == 7 and found["verify"] == 0
    assert found["cert"] == ssl.PEM_cert_to_DER_cert(certs.client.cert.read_text())


@pytest.fixture
def mutual(service, certs, sallyport, config):
    """A bridge that has a certificate for the service; the service."""
    def start(**route):
        far = service(client="require")
        sections = config(far.address, mode="bridge", trust="clients",
                          upstream_keys={"tls_trust": "far", "tls_store": "gate"}, **route)
        sections["trust far"] = {"ca": certs.other_ca.cert}
        sections["store gate"] = {"cert": certs.client_uri.cert, "key": certs.client_uri.key}
        return sallyport(sections), far
    return start


def test_the_client_and_the_gate_show_a_certificate_each(mutual, certs):
    proxy, far = mutual(allow="cn:alice")
    assert client.outcome(proxy.address, certs, client=certs.client) == "ok"
    line = proxy.await_access(reason="done")
    assert (line["identity"], line["upstream_identity"]) == ("cn:alice", "cn:far")
    assert far.tls.seen[0][1]["subject"][0][0][1] == "bob"
    assert client.outcome(proxy.address, certs, client=certs.client_uri) != "ok"
    proxy.await_message("TLS handshake failed")
    assert len(far.tls.seen) == 1, "a client that is refused never gets there"


def test_a_server_that_is_refused_resets_the_client(bridge, service, certs):
    proxy = bridge(service().address, keys={"tls_name": "db.example"})
    with Careful(proxy.address, certs).handshake() as c:
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            c.send(b"ping")
            c.recv()
    assert proxy.await_message(FAILED)["cause"] == "server-name-mismatch"
    line = proxy.await_access(reason="upstream-tls-failed")
    assert line["tls"].startswith("TLS") and line["bytes_out"] == "0"


def cut(tls):
    tls.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("how, reason", [(cut, "upstream-tls-cut"), (reset, "upstream-reset")])
def test_a_service_that_breaks_off(bridge, service, certs, how, reason):
    def handler(tls):
        tls.sendall(b"half")
        tls.recv(1)
        how(tls)
    proxy = bridge(service(handler).address)
    with Careful(proxy.address, certs).handshake() as c:
        assert c.receive(4) == b"half"
        c.send(b"x")
        with pytest.raises((ConnectionResetError, CutShort)):
            c.recv()
    proxy.await_access(reason=reason)


def test_a_client_that_ends_alone_hears_the_rest(bridge, service, certs):
    def handler(tls):
        text = b""
        while data := tls.recv(100):
            text += data
        tls.sendall(b"got " + text)
        tls_origin.finish(tls)
    proxy = bridge(service(handler).address)
    with Careful(proxy.address, certs).handshake() as c:
        c.send(b"all")
        c.end()
        assert c.receive(7) == b"got all" and c.recv() == b""
    proxy.await_access(reason="done")


def test_64_mib_each_way(bridge, service, certs):
    block = hashlib.sha256(b"y").digest() * 32768
    sums = []

    def handler(tls):
        sums.append(tls_origin.exchange(tls, block, MIB))
        assert tls.recv(1) == b""
        tls_origin.finish(tls)
    proxy = bridge(service(handler).address)
    digest = hashlib.sha256()
    expected = hashlib.sha256()
    for _ in range(MIB):
        expected.update(block)
    with Careful(proxy.address, certs).handshake() as c:
        c.exchange((block for _ in range(MIB)), digest.update)
    assert sums == [digest.hexdigest()] == [expected.hexdigest()]
    line = proxy.await_access(reason="done")
    assert int(line["bytes_in"]) == int(line["bytes_out"]) == MIB << 20


def test_plaintext_may_come_in_for_a_migration(bridge, service):
    proxy = bridge(service().address, plaintext_from="loopback")
    with client.dial(proxy.address) as sock:
        sock.sendall(b"ping")
        assert receive(sock, 4) == b"ping"
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""
    assert proxy.await_access(reason="done", tls="off")["upstream_tls"].startswith("TLS")


def test_a_bridge_in_front_of_a_terminator(gate, origin, certs, sallyport, config):
    """Two gates in a row: TLS all the way, and the end of one is the end of all."""
    last = gate(origin(echo).address)
    sections = config("%s:%d" % last.address, mode="bridge", upstream_keys={"tls_trust": "near"})
    sections["trust near"] = {"ca": certs.ca.cert}
    first = sallyport(sections)
    assert client.outcome(first.address, certs) == "ok"
    first.await_access(reason="done")
    last.await_access(reason="done")


def test_explain_says_whom_it_believes(bridge, service):
    proxy = bridge(service().address, keys={"tls_name": "db.example"})
    said = run("explain", "-c", proxy.path)
    assert said.returncode == 0, said
    assert "verified by [trust far] as db.example" in said.stdout, said.stdout
    assert "showing no certificate" in said.stdout


def test_a_reload_leads_nobody_past_the_name_that_it_demands(bridging, sallyport, service, origin,
                                                             certs, open_folder):
    """A connection keeps its own demands, and goes to the servers of now. A Unix socket has no
    name of its own: it is for who has a tls_name."""
    proxy = sallyport(bridging(service().address))
    unix = origin(echo, path=open_folder / "far.sock")
    now = bridging(unix.address, keys={"tls_name": "127.0.0.1"})
    with Careful(proxy.address, certs, cut_at=100,
                 before_cut=lambda _: proxy.reconfigure(now)) as c:
        c.handshake()
        assert proxy.await_access(route="main")["reason"] == "upstream-failed"
