"""mode = originate: plaintext in, TLS out, as a client that looks at whom it dials."""

import base64
import hashlib
import socket
import ssl
import threading
import time

import pytest

from harness import client, tls_origin
from harness.certs import openssl
from harness.client import TLS12, TLS13, VERSIONS, version_id
from harness.gate import run
from harness.origin import receive, reset
from harness.tls_origin import OverTls, Program, server_context
from harness.waiting import PATIENCE

FAILED = "TLS handshake with the upstream failed"


@pytest.fixture
def originate(sallyport, certs):
    """originate(server, tls_…=…, route={…}, **gate): one route with plaintext in."""
    def start(server, route=None, trust=None, crl=None, proxy=None, env=None, connect_timeout="3s",
              listen="127.0.0.1:0", listener=None, **keys):
        sections = {
            "proxy": {"workers": 1, "drain_timeout": "5s", **(proxy or {})},
            "route out": {"mode": "originate", "listen": listen, "upstream": "far",
                          **(route or {})},
            "upstream far": {"server": server, "connect_timeout": connect_timeout, **keys},
        }
        if listener:
            sections[f"listener {listen}"] = listener
        if keys.get("tls_verify") != "off":
            sections["trust cluster"] = {"ca": trust or certs.ca.cert, "crl": crl}
            sections["upstream far"]["tls_trust"] = "cluster"
        if "tls_store" in keys:
            pair = keys["tls_store"]
            sections["upstream far"]["tls_store"] = "me"
            sections["store me"] = {"cert": pair.cert, "key": pair.key}
        return sallyport(sections, env=env)
    return start


@pytest.fixture
def service(origin, certs):
    """service(handler, pair=…, client=…, version=…): a TLS service; .address, .tls (OverTls)."""
    def start(handler=tls_origin.echo, before=None, **how):
        tls = OverTls(server_context(certs, **how), handler, before)
        made = origin(tls)
        made.tls = tls
        return made
    return start


def ping(address, text=b"ping"):
    """One echo, an end in order on both sides."""
    with client.dial(address) as sock:
        sock.sendall(text)
        assert receive(sock, len(text)) == text
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""


def is_refused(address, text=b"ping"):
    """The client sees a reset, and not a byte."""
    with pytest.raises(ConnectionError):        # it may come before we are through with dialling
        with client.dial(address) as sock:
            sock.sendall(text)
            assert sock.recv(1) != b"", "an orderly end"


# --- whom we believe ---

def pin(pair, form):
    der = openssl("x509", "-in", pair.cert, "-noout", "-pubkey")
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(
        der.replace("PUBLIC KEY", "CERTIFICATE"))).digest()
    return "sha256:" + (digest.hex() if form == "hex" else base64.b64encode(digest).decode())


def matrix(certs):
    """name: (the server's pair, keys of the upstream, the cause of the failure or None)"""
    other = certs.issue("originate-other", "localhost", ca=certs.other_ca, usage="serverAuth",
                        names="IP:127.0.0.1")
    early = certs.issue("originate-early", "localhost", usage="serverAuth", names="IP:127.0.0.1",
                        dates=("20990101000000Z", "20991231000000Z"))
    nameless = certs.issue("originate-nameless", "127.0.0.1", usage="serverAuth")
    spiffe = certs.issue("originate-spiffe", "db", usage="serverAuth",
                         names="URI:spiffe://prod/ns/db/sa/node")
    node = "uri:spiffe://prod/ns/db/**"
    return {
        "address": (certs.server, {}, None),
        "name": (certs.server, {"tls_name": "service.example"}, None),
        "wrong name": (certs.server, {"tls_name": "db.example"}, "server-name-mismatch"),
        "wrong address": (certs.server, {"tls_name": "127.0.0.9"}, "server-name-mismatch"),
        "cn is no name": (nameless, {}, "server-name-mismatch"),
        "expired": (certs.server_expired, {}, "server-certificate-expired"),
        "expired, chain": (certs.server_expired, {"tls_verify": "chain"},
                           "server-certificate-expired"),
        "early": (early, {}, "server-certificate-not-yet-valid"),
        "other ca": (other, {}, "server-certificate-unknown-issuer"),
        "other ca, chain": (other, {"tls_verify": "chain"}, "server-certificate-unknown-issuer"),
        "other ca, off": (other, {"tls_verify": "off"}, None),
        "for clients": (certs.client, {"tls_verify": "chain"}, "server-certificate-wrong-purpose"),
        "chain": (nameless, {"tls_verify": "chain"}, None),
        "rule": (spiffe, {"tls_verify": "chain", "tls_allow": node}, None),
        "other rule": (certs.server, {"tls_allow": node}, "server-denied"),
        "pin": (certs.server, {"tls_pin": pin(certs.server, "hex")}, None),
        "pin, base64, off": (other, {"tls_verify": "off", "tls_pin": pin(other, "base64")}, None),
        "other pin": (certs.server, {"tls_pin": pin(other, "hex")}, "server-pin-mismatch"),
        "other pin, off": (certs.server, {"tls_verify": "off", "tls_pin": pin(other, "hex")},
                           "server-pin-mismatch"),
        "pin, other ca": (other, {"tls_pin": pin(other, "hex")},
                          "server-certificate-unknown-issuer"),
    }


@pytest.mark.parametrize("version", VERSIONS, ids=version_id)
def test_verification_matrix(originate, service, certs, version):
    for name, (pair, keys, cause) in matrix_of(certs).items():
        far = service(pair=pair, version=version)
        proxy = originate(far.address, **keys)
        if cause is None:
            ping(proxy.address)
            line = proxy.await_access(reason="done", upstream_tls=version.name.replace("_", "."))
            assert line["upstream_identity"] and line["tls"] == "off", name
        else:
            is_refused(proxy.address)
            said = proxy.await_message(FAILED)
            assert (said["cause"], said["side"]) == (cause, "server"), (name, said)
            assert said["server"] == far.address and said["upstream"] == "far", said
            assert proxy.await_access(reason="upstream-tls-failed")["bytes_out"] == "0"
            assert far.tls.handler and not any(s[0] for s in far.tls.seen)
        proxy.close()


def matrix_of(certs):
    if not hasattr(certs, "originate_matrix"):
        certs.originate_matrix = matrix(certs)
    return certs.originate_matrix


def test_the_words_name_what_there_is_and_what_was_expected(originate, service, certs):
    proxy = originate(service().address, tls_name="db.example")
    is_refused(proxy.address)
    what = proxy.await_message(FAILED)["what"]
    assert "service.example" in what and "db.example was expected" in what


def test_verification_that_is_off_is_warned_of(originate, service):
    proxy = originate(service().address, tls_verify="off")
    assert proxy.says("whoever answers at the address") or any(
        "whoever answers at the address" in line for line in proxy.output + proxy.errors)


# --- who we are ---

@pytest.mark.parametrize("version", VERSIONS, ids=version_id)
def test_a_certificate_is_shown_to_a_server_that_demands_one(originate, service, certs, version):
    far = service(client="require", version=version)
    ping(originate(far.address, tls_store=certs.client).address)
    assert ((("commonName", "alice"),),) == far.tls.seen[0][1]["subject"]


@pytest.mark.parametrize("version", VERSIONS, ids=version_id)
def test_a_server_that_misses_our_certificate_is_told_of(originate, service, certs, version):
    proxy = originate(service(client="require", version=version).address)
    is_refused(proxy.address)
    said = proxy.await_message(FAILED)
    assert (said["cause"], said["side"]) == ("server-wants-certificate", "us")
    proxy.await_access(reason="upstream-tls-failed")


@pytest.mark.parametrize("version", VERSIONS, ids=version_id)
def test_a_server_that_does_not_trust_us_is_told_of(originate, service, certs, version):
    far = service(client="require", version=version)
    proxy = originate(far.address, tls_store=certs.client_other_ca)
    is_refused(proxy.address)
    said = proxy.await_message(FAILED)
    assert said["cause"] == "server-untrusted-issuer" and "CN=Other CA" in said["what"]


# --- what is agreed on ---

def test_versions_and_protocols(originate, service):
    far = service(version=TLS12, alpn=["h2"])
    proxy = originate(far.address, tls_alpn="acme, h2")
    ping(proxy.address)
    line = proxy.await_access(reason="done")
    assert (line["upstream_tls"], line["upstream_alpn"]) == ("TLSv1.2", "h2")
    assert far.tls.seen[0][3] == "h2"
    newer = originate(far.address, tls_protocols="TLSv1.3")
    is_refused(newer.address)
    assert newer.await_message(FAILED)["cause"] == "server-no-shared-version"


def test_names_are_asked_for_and_addresses_are_not(originate, service):
    asked = []
    far = service()
    far.tls.ctx.sni_callback = lambda _sock, name, _ctx: asked.append(name)
    ping(originate(far.address).address)
    ping(originate(far.address, tls_name="service.example").address)
    ping(originate(far.address, tls_name="service.example", tls_sni="x.example").address)
    assert asked == [None, "service.example", "x.example"]


# --- sessions ---

@pytest.mark.parametrize("version", VERSIONS, ids=version_id)
def test_sessions_are_resumed(originate, service, certs, version):
    far = service(client="require", version=version)
    proxy = originate(far.address, tls_store=certs.client)
    for n in range(6):
        ping(proxy.address)
        line = proxy.await_access(reason="done")
        assert line["upstream_resumed"] == ("yes" if n else "no")
        assert line["upstream_identity"] == "cn:localhost"
    assert far.tls.resumed == [False] + 5 * [True]


@pytest.mark.parametrize("version", VERSIONS, ids=version_id)
def test_a_change_of_trust_ends_sessions_and_no_connection(originate, service, certs, tmp_path,
                                                           version):
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(certs.ca.cert.read_bytes())
    far = service(version=version)
    proxy = originate(far.address, trust=trusted)
    ping(proxy.address)
    ping(proxy.address)
    assert far.tls.resumed == [False, True]
    with client.dial(proxy.address) as live:
        live.sendall(b"a")
        assert receive(live, 1) == b"a"
        trusted.write_bytes(certs.ca.cert.read_bytes() + certs.other_ca.cert.read_bytes())
        proxy.await_message("reload done")
        ping(proxy.address)
        assert far.tls.resumed[-1] is False
        trusted.write_bytes(certs.other_ca.cert.read_bytes())
        proxy.await_message("reload done")
        is_refused(proxy.address)
        assert proxy.await_message(FAILED)["cause"] == "server-certificate-unknown-issuer"
        live.sendall(b"b")
        assert receive(live, 1) == b"b"


def test_a_new_certificate_is_shown_once_it_is_read(originate, service, certs, tmp_path):
    mine = tmp_path / "mine.pem"
    mine.write_bytes(certs.client.cert.read_bytes() + certs.client.key.read_bytes())
    far = service(client="require")

    class Both:
        cert, key = mine, None
    proxy = originate(far.address, tls_store=Both)
    ping(proxy.address)
    mine.write_bytes(certs.client_uri.cert.read_bytes() + certs.client_uri.key.read_bytes())
    proxy.await_message("reload done")
    ping(proxy.address)
    names = [seen[1]["subject"][0][0][1] for seen in far.tls.seen]
    assert names == ["alice", "bob"] and far.tls.resumed == [False, False]


# --- bytes and ends ---

MIB = 64


def test_64_mib_each_way_with_a_slow_reader(originate, service):
    block = hashlib.sha256(b"x").digest() * 32768
    sums = {}

    def far_side(tls):
        sums["far"] = tls_origin.exchange(tls, block, MIB)
        assert tls.recv(1) == b""
        tls_origin.finish(tls)
    far = service(far_side)
    proxy = originate(far.address)
    with client.dial(proxy.address) as sock:
        sender = threading.Thread(target=lambda: [sock.sendall(block) for _ in range(MIB)])
        sender.start()
        near = hash_of(sock, MIB << 20)
        sender.join()
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""
    expected = hashlib.sha256()
    for _ in range(MIB):
        expected.update(block)
    assert near == expected.hexdigest() == sums["far"]
    line = proxy.await_access(reason="done")
    assert int(line["bytes_in"]) == int(line["bytes_out"]) == MIB << 20


def hash_of(sock, count):
    """Of what comes, slowly."""
    digest, got = hashlib.sha256(), 0
    while got < count:
        data = sock.recv(min(1 << 16, count - got))
        assert data, f"ended after {got}"
        digest.update(data)
        if got >> 20 != (got + len(data)) >> 20:
            time.sleep(0.003)
        got += len(data)
    return digest.hexdigest()


def test_a_service_may_speak_first_and_each_side_ends_alone(originate, service):
    def handler(tls):
        tls.sendall(b"hello")
        text = b""
        while data := tls.recv(100):
            text += data
        tls.sendall(b"got " + text)
        tls_origin.finish(tls)
    proxy = originate(service(handler).address)
    with client.dial(proxy.address) as sock:
        assert receive(sock, 5) == b"hello"
        sock.sendall(b"all")
        sock.shutdown(socket.SHUT_WR)
        assert receive(sock, 7) == b"got all"
        assert sock.recv(1) == b""
    proxy.await_access(reason="done")


@pytest.mark.parametrize("end, reason", [
    (lambda tls: tls.shutdown(socket.SHUT_RDWR), "upstream-tls-cut"),   # of the socket below
    (reset, "upstream-reset"),
], ids=["without close_notify", "a reset"])
def test_an_end_that_is_none_is_a_reset(originate, service, end, reason):
    def handler(tls):
        tls.sendall(b"half of")
        tls.recv(1)
        end(tls)
    proxy = originate(service(handler).address)
    with client.dial(proxy.address) as sock:
        assert receive(sock, 7) == b"half of"
        sock.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
    proxy.await_access(reason=reason)


def test_what_is_no_tls_in_the_middle_of_it(originate, service):
    def handler(tls):
        tls.sendall(b"good")
        tls.recv(1)
        raw = socket.socket(fileno=tls.fileno())
        raw.sendall(b"this is no record at all")
        raw.detach()
        with pytest.raises(ssl.SSLError):       # our alert
            tls.recv(1)
    proxy = originate(service(handler).address)
    with client.dial(proxy.address) as sock:
        assert receive(sock, 4) == b"good"
        sock.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
    assert proxy.await_access(reason="upstream-tls-broken")["detail"]


# --- servers that are none ---

def test_plaintext_before_tls_fails_the_connection(originate, service):
    """Nothing of it ever reaches the client."""
    far = service(before=lambda conn: conn.sendall(b"220 mail.example ESMTP\r\n"))
    proxy = originate(far.address)
    is_refused(proxy.address)
    said = proxy.await_message(FAILED)
    assert said["cause"] == "server-plaintext" and "SMTP" in said["what"]


def test_other_protocols_silence_and_early_ends(originate, origin):
    cases = {
        "server-not-tls": lambda c: c.sendall(b"what do you want?\r\n") or c.recv(9999),
        "server-closed-in-handshake": lambda c: c.recv(9999),
        "server-reset-in-handshake": lambda c: c.recv(9999) and reset(c),
    }
    for cause, handler in cases.items():
        proxy = originate(origin(handler).address)
        is_refused(proxy.address)
        assert proxy.await_message(FAILED)["cause"] == cause


def test_a_silent_server_has_its_time(originate, origin):
    proxy = originate(origin().address, connect_timeout="400ms")
    began = time.monotonic()
    is_refused(proxy.address)
    took = time.monotonic() - began
    assert proxy.await_message(FAILED)["cause"] == "server-silent"
    proxy.await_access(reason="upstream-tls-timeout")
    assert 0.35 < took < PATIENCE / 2, took


def test_a_server_that_stops_in_the_handshake(originate, origin):
    def handler(conn):
        conn.recv(9999)
        conn.sendall(b"\x16\x03\x03")
        conn.recv(1)
    proxy = originate(origin(handler).address, connect_timeout="300ms")
    is_refused(proxy.address)
    assert proxy.await_message(FAILED)["cause"] == "server-timeout-in-handshake"


def test_a_server_that_is_revoked(originate, service, certs):
    good = originate(service().address, crl=certs.crl("originate-none", certs.ca))
    ping(good.address)
    gone = originate(service().address, crl=certs.crl("originate-revoked", certs.ca,
                                                      revoked=[certs.server]))
    is_refused(gone.address)
    assert gone.await_message(FAILED)["cause"] == "server-certificate-revoked"


def test_nobody_listens(originate, origin):
    gone = origin()
    gone.close()
    proxy = originate(gone.address)
    is_refused(proxy.address)
    proxy.await_access(reason="upstream-refused")


def test_failures_of_a_server_are_summed(originate, service, certs):
    far = service(pair=certs.server_expired)
    proxy = originate(far.address, env={"SALLYPORT_SUM_FAILURES": "2s"})
    for _ in range(5):
        is_refused(proxy.address)
        proxy.await_access(reason="upstream-tls-failed")
    again = proxy.await_message("TLS handshakes with the upstream failed again")
    assert (again["times"], again["server"]) == ("4", far.address)
    assert again["cause"] == "server-certificate-expired"
    assert len([r for r in proxy.records if r["message"] == FAILED]) == 1


def test_another_server_is_tried(originate, service, certs):
    """A server that is not who it should be fails as one that is not there."""
    bad, good = service(pair=certs.server_expired), service()
    proxy = originate([bad.address, good.address], balance="first")
    for _ in range(3):
        ping(proxy.address)
        proxy.await_access(reason="done", upstream=good.address)
    assert proxy.await_message(FAILED)["server"] == bad.address
    alone = originate([bad.address, good.address], balance="first", retries="0")
    is_refused(alone.address)
    alone.await_access(reason="upstream-tls-failed")


def test_the_name_is_that_of_the_server_as_it_is_written(originate, service, certs):
    asked = []
    far = service(pair=certs.issue("originate-named", "x", usage="serverAuth",
                                   names="DNS:localhost"))
    far.tls.ctx.sni_callback = lambda _sock, name, _ctx: asked.append(name)
    ping(originate(far.address.replace("127.0.0.1", "localhost")).address)
    assert asked == ["localhost"]
    proxy = originate(far.address)
    is_refused(proxy.address)
    assert proxy.await_message(FAILED)["cause"] == "server-name-mismatch"


# --- who may connect ---

def test_plaintext_from_says_who_may_connect(originate, service):
    far = service()
    proxy = originate(far.address, route={"plaintext_from": "127.0.0.2"})
    is_refused(proxy.address)
    proxy.await_access(reason="plaintext-refused")
    with socket.create_connection(proxy.address, timeout=PATIENCE,
                                  source_address=("127.0.0.2", 0)) as sock:
        sock.sendall(b"x")
        assert receive(sock, 1) == b"x"
    assert len(far.tls.seen) == 1


def test_a_header_may_say_who_it_is(originate, service):
    far = service()
    proxy = originate(far.address, listen="127.0.0.1:28046",
                      listener={"accept_proxy_from": "loopback"},
                      route={"plaintext_from": "192.0.2.0/24"})
    for source, good in (("192.0.2.7", True), ("198.51.100.7", False)):
        head = f"PROXY TCP4 {source} 127.0.0.1 4000 5000\r\n".encode()
        if not good:
            is_refused(proxy.address, head + b"ping")
            proxy.await_access(reason="plaintext-refused", client=f"{source}:4000")
            continue
        with client.dial(proxy.address) as sock:
            sock.sendall(head + b"ping")
            assert receive(sock, 4) == b"ping"
        proxy.await_access(client=f"{source}:4000")


def test_a_unix_socket_on_both_sides(originate, origin, certs, open_folder):
    tls = OverTls(server_context(certs), tls_origin.echo)
    far = origin(tls, path=open_folder / "far")
    proxy = originate(far.address, listen=f"unix:{open_folder}/near", tls_name="localhost")
    ping(proxy.address)
    assert tls.resumed == [False]


# --- a pair ---

def test_a_pair(originate, gate, origin, certs):
    """Plaintext to plaintext, mutual TLS between."""
    seen = []

    def handler(conn):
        text = b""
        while data := conn.recv(100):
            text += data
        seen.append(text)
        conn.sendall(text[::-1])
        conn.shutdown(socket.SHUT_WR)
    far = gate(origin(handler).address, trust="clients")
    near = originate("%s:%d" % far.address, tls_store=certs.client)
    for _ in range(3):
        with client.dial(near.address) as sock:
            sock.sendall(b"abc")
            sock.shutdown(socket.SHUT_WR)
            assert receive(sock, 3) == b"cba" and sock.recv(1) == b""
        assert far.await_access(reason="done")["identity"] == "cn:alice"
        assert near.await_access(reason="done")["upstream_identity"] == "cn:localhost"
    assert seen == 3 * [b"abc"]
    other = originate("%s:%d" % far.address, tls_store=certs.client_other_ca)
    is_refused(other.address)
    assert far.await_message("TLS handshake failed")["cause"] == "client-certificate-unknown-issuer"
    assert other.await_message(FAILED)["cause"] == "server-untrusted-issuer"


def test_a_pair_whose_rules_refuse_us(originate, gate, origin, certs):
    far = gate(origin(lambda c: c.recv(1)).address, trust="clients", allow="cn:bob")
    near = originate("%s:%d" % far.address, tls_store=certs.client)
    is_refused(near.address)
    said = near.await_message(FAILED)
    assert said["cause"] == "server-denies-us" and "CN=alice" in said["what"]


# --- other people's servers ---

@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_s_server(originate, certs, version):
    server = Program("openssl", "s_server", "-accept", "127.0.0.1:PORT", version, "-rev", "-quiet",
                     "-cert", certs.server.cert, "-key", certs.server.key, "-Verify", "3",
                     "-CAfile", certs.ca.cert, "-verify_return_error")
    try:
        proxy = originate(server.address, tls_store=certs.client)
        for _ in range(2):
            with client.dial(proxy.address) as sock:
                sock.sendall(b"stressed\n")
                assert receive(sock, 9) == b"desserts\n"
    finally:
        server.close()


@pytest.mark.parametrize("options, keys, cause", [
    (["-alpn", "acme"], {"tls_alpn": "h2"}, "server-no-shared-alpn"),
    (["-servername", "x.example", "-servername_fatal", "-cert2", "CERT", "-key2", "KEY"],
     {"tls_name": "service.example"}, "server-unknown-name"),
    (["-tls1_2", "-cipher", "AES128-SHA256"], {}, "server-handshake-failure"),
    (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], {}, "server-no-shared-version"),
], ids=lambda v: v if isinstance(v, str) else "")
def test_alerts_of_openssl_s_server(originate, certs, options, keys, cause):
    pair = certs.server_rsa
    options = [{"CERT": pair.cert, "KEY": pair.key}.get(o, o) for o in options]
    server = Program("openssl", "s_server", "-accept", "127.0.0.1:PORT", "-quiet",
                     "-cert", pair.cert, "-key", pair.key, *options)
    try:
        proxy = originate(server.address, **keys)
        is_refused(proxy.address)
        said = proxy.await_message(FAILED)
        assert said["cause"] == cause, said
    finally:
        server.close()


@pytest.mark.parametrize("version", [TLS12, TLS13], ids=version_id)
def test_gnutls_serv(originate, certs, version):
    number = "1.2" if version is TLS12 else "1.3"
    server = Program("gnutls-serv", "--port", "PORT", "--echo", "--require-client-cert",
                     "--verify-client-cert", "--x509cafile", certs.ca.cert,
                     "--x509certfile", certs.server.cert, "--x509keyfile", certs.server.key,
                     "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{number}")
    try:
        proxy = originate(server.address, tls_store=certs.client)
        for n in range(3):
            with client.dial(proxy.address) as sock:
                sock.sendall(b"hello gnutls\n")
                assert receive(sock, 13) == b"hello gnutls\n"
            line = proxy.await_access(upstream_tls=f"TLSv{number}")
            assert line["upstream_resumed"] == ("yes" if n else "no")
        bare = originate(server.address)
        is_refused(bare.address)
        assert bare.await_message(FAILED)["cause"] == "server-wants-certificate"
    finally:
        server.close()


# --- the commands ---

def test_explain_and_check_know_the_mode(originate, service, certs):
    proxy = originate(service().address, tls_store=certs.client, tls_name="service.example")
    said = run("explain", "-c", proxy.path)
    assert said.returncode == 0, said
    assert "speaks plaintext" in said.stdout and "service.example" in said.stdout
    assert run("explain", "-c", proxy.path, "--from", "192.0.2.1").returncode == 1
    checked = run("check", "-c", proxy.path)
    assert checked.returncode == 0, checked.stderr
    text = proxy.path.read_text().replace(str(certs.client.cert), str(certs.server.cert)).replace(
        str(certs.client.key), str(certs.server.key))
    bad = proxy.path.with_name("bad.conf")
    bad.write_text(text)
    checked = run("check", "-c", bad)
    assert checked.returncode == 1 and "clientAuth" in checked.stdout + checked.stderr
