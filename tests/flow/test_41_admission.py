"""Who may come in: rules on the certificate, over the wire."""

import datetime
import hashlib
import re
import ssl
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from harness import client
from harness.certs import LEAF_EXT, Pair
from harness.origin import echo
from harness.waiting import PATIENCE


def try_it(gate, certs, version, pair, **how):
    """None, or what the client is told."""
    try:
        with client.connect(gate.address, certs, version=version, client=pair, **how) as tls:
            tls.sendall(b"x")
            assert tls.recv(1) == b"x"
    except ssl.SSLError as e:
        return e.reason
    except ConnectionError as e:
        return type(e).__name__
    return None


@pytest.mark.parametrize("version", client.VERSIONS, ids=client.version_id)
@pytest.mark.parametrize("tickets", ["auto", "on"])
def test_a_refusal_is_an_alert_and_a_line(gate, origin, certs, version, tickets):
    proxy = gate(origin(echo).address, trust="clients", session_tickets=tickets,
                 allow=["cn:somebody", "cn:else"])
    assert try_it(proxy, certs, version, certs.client) == "TLSV1_ALERT_ACCESS_DENIED"
    line = proxy.await_access(reason="client-denied")
    assert line["cause"] == "client-denied" and line["side"] == "client"
    assert line["rule"] == "refused: none of 2 allow rules matches"
    assert line["identity"].startswith("cn:") and line["level"] == "warn"


def test_the_rule_that_decides_is_told_with_its_line(gate, origin, certs):
    proxy = gate(origin(echo).address, trust="clients", allow="cn:*", deny=["cn:x", "cn:al*e"])
    assert try_it(proxy, certs, None, certs.client) == "TLSV1_ALERT_ACCESS_DENIED"
    rule = proxy.await_access(reason="client-denied")["rule"]
    written = proxy.path.read_text().splitlines()
    line = int(re.fullmatch(rf"refused by deny = cn:al\*e \({re.escape(str(proxy.path))}:(\d+)\), "
                            "which cn:alice is", rule)[1])
    assert written[line - 1] == "deny = cn:al*e"


@pytest.fixture(scope="module")
def people(certs):
    """Clients by name, each with what rules look at."""
    def issue(name, names=None, subject=None, usage="clientAuth", **more):
        return certs.issue(f"people-{name}", subject or name, usage=usage, names=names, **more)
    return {
        "alice": issue("alice", "URI:spiffe://prod/ns/db/sa/reader,DNS:alice.example.com,"
                                "email:alice@example.com,IP:10.1.2.3"),
        "writer": issue("writer", "URI:spiffe://prod/ns/db/sa/writer"),
        "deep": issue("deep", "URI:spiffe://prod/ns/db/x/sa/reader"),
        "wild": issue("wild", "DNS:*.example.com"),
        "bare": issue("bare"),
        "server": issue("server-only", usage="serverAuth"),
        "any": issue("any-use", ext=LEAF_EXT),
    }


def pin(pair):
    der = subprocess.run(["openssl", "x509", "-in", pair.cert, "-noout", "-pubkey"],
                         capture_output=True, check=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=der,
                         capture_output=True, check=True).stdout
    return hashlib.sha256(der).hexdigest()


TABLE = [
    # rules, who comes in
    ({}, {"alice", "writer", "deep", "wild", "bare", "any"}),
    ({"allow": "uri:spiffe://prod/ns/*/sa/reader"}, {"alice"}),
    ({"allow": "uri:spiffe://prod/ns/**"}, {"alice", "writer", "deep"}),
    ({"allow": ["uri:spiffe://prod/ns/**", "cn:bare"], "deny": "uri:spiffe://*/ns/*/sa/writer"},
     {"alice", "deep", "bare"}),
    ({"allow": "dns:*.example.com"}, {"alice"}),
    ({"allow": "email:*@example.com"}, {"alice"}),
    ({"allow": "ip:10.0.0.0/8"}, {"alice"}),
    ({"deny": "cn:*"}, set()),
    ({"allow": "cn:b*"}, {"bare"}),
]


@pytest.mark.parametrize("rules, admitted", TABLE, ids=[str(n) for n in range(len(TABLE))])
def test_table(gate, origin, certs, people, rules, admitted):
    proxy = gate(origin(echo).address, trust="clients", **rules)
    for name, pair in people.items():
        for version in client.VERSIONS:
            told = try_it(proxy, certs, version, pair)
            if name == "server":
                assert told is not None and told != "TLSV1_ALERT_ACCESS_DENIED", name
            else:
                expected = None if name in admitted else "TLSV1_ALERT_ACCESS_DENIED"
                assert told == expected, (name, version)


def test_by_key_and_serial(gate, origin, certs, people):
    proxy = gate(origin(echo).address, trust="clients",
                 allow=[f"sha256:{pin(people['bare'])}", f"serial:{people['wild'].serial}"])
    assert try_it(proxy, certs, None, people["bare"]) is None
    assert try_it(proxy, certs, None, people["wild"]) is None
    assert try_it(proxy, certs, None, people["alice"]) == "TLSV1_ALERT_ACCESS_DENIED"


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_is_told_the_same(gate, origin, certs, version):
    proxy = gate(origin(echo).address, trust="clients", allow="cn:somebody")
    done = subprocess.run(
        ["openssl", "s_client", "-connect", "%s:%d" % proxy.address, version, "-CAfile",
         certs.ca.cert, "-cert", certs.client.cert, "-key", certs.client.key, "-ign_eof"],
        input=b"hello\n", capture_output=True, timeout=PATIENCE)
    assert b"alert access denied" in done.stderr
    assert proxy.await_access(reason="client-denied")


def test_the_service_never_hears_of_it(gate, origin, certs):
    service = origin()
    proxy = gate(service.address, trust="clients", allow="cn:somebody")
    for version in client.VERSIONS:
        assert try_it(proxy, certs, version, certs.client) == "TLSV1_ALERT_ACCESS_DENIED"
        proxy.await_access(reason="client-denied")
    service.socket.settimeout(0.2)
    assert service._accepted.empty()


@pytest.mark.parametrize("version", client.VERSIONS, ids=client.version_id)
def test_a_session_is_judged_again(gate, origin, certs, people, version):
    """A client that was admitted comes again with its session, after a rule was written."""
    proxy = gate(origin(echo).address, trust="clients", session_tickets="on", allow="cn:*")
    ctx = client.context(certs, version=version, client=people["bare"])

    def again(session=None):
        with ctx.wrap_socket(client.dial(proxy.address), server_hostname="localhost",
                             session=session) as tls:
            tls.sendall(b"x")
            assert tls.recv(1) == b"x"
            return tls.session, tls.session_reused

    session, _ = again()
    session, reused = again(session)
    assert reused
    proxy.path.write_text(proxy.path.read_text().replace("allow = cn:*", "allow = cn:a*"))
    proxy.signal(1)
    proxy.await_message("^reload done")
    with pytest.raises(ssl.SSLError, match="ACCESS_DENIED"):
        again(session)
    assert proxy.await_access(reason="client-denied")["identity"] == "cn:bare"


def test_names_with_a_nul(gate, origin, certs, tmp_path):
    """As in the attacks of 2009: what stands before the NUL is not the name."""
    key, cert = tmp_path / "nul.key", tmp_path / "nul.crt"
    made = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.load_pem_x509_certificate(certs.ca.cert.read_bytes())
    signer = serialization.load_pem_private_key(certs.ca.key.read_bytes(), None)
    now = datetime.datetime.utcnow()
    built = (x509.CertificateBuilder()
             .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME,
                                                         "alice\0.evil.org")]))
             .issuer_name(issuer.subject).public_key(made.public_key())
             .serial_number(x509.random_serial_number())
             .not_valid_before(now - datetime.timedelta(hours=1))
             .not_valid_after(now + datetime.timedelta(hours=1))
             .add_extension(x509.SubjectAlternativeName([x509.DNSName("alice\0.evil.org")]), False)
             .sign(signer, hashes.SHA256()))
    cert.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(made.private_bytes(serialization.Encoding.PEM,
                                       serialization.PrivateFormat.PKCS8,
                                       serialization.NoEncryption()))
    proxy = gate(origin(echo).address, trust="clients",
                 allow=["cn:alice", "cn:alice*", "cn:*", "dns:alice", "dns:*"])
    assert try_it(proxy, certs, None, Pair(cert, key)) == "TLSV1_ALERT_ACCESS_DENIED"
