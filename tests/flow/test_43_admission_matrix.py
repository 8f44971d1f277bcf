"""The admission matrix: real certificates, real clients, and what is expected of each.

What `explain` says of a certificate is what every client meets over the wire with it, in TLS 1.2
and 1.3. Where a client does not send it, the row says what comes of that.
"""

import itertools
import json
import typing

import pytest

from harness.gate import Gate, render, run
from harness.origin import Origin, echo
from harness.people import World
from harness.tls_clients import GnuTLS, Java, OpenSSL, Python

DOMAIN = "mx.example"
DENIED = "client-denied"


def routes(people):
    """By name; each is of [trust root] that names no other."""
    made = {
        **{name: {"trust": name} for name in ("root", "old", "mid", "self", "depth-6", "depth-0",
                                              "crl", "old-crl", "early-crl")},
        "request": {"client_auth": "request"},
        "cn": {"allow": "cn:al*", "deny": "cn:alf*"},
        "exact-cn": {"allow": ["cn:alice", "cn:Jörg *"]},
        "no-cn": {"deny": "cn:nobody"},
        "ou": {"allow": "ou:dev"},
        "o": {"allow": "o:Acme"},
        "dns": {"allow": "dns:*.example.com"},
        "no-dns": {"deny": "dns:*.example.com"},
        "uri": {"allow": "uri:spiffe://prod/ns/*/sa/reader"},
        "email": {"allow": "email:*@example.com"},
        "ip": {"allow": ["ip:192.0.2.0/24", "ip:10.0.0.0/8"]},
        "ip6": {"allow": "ip:2001:db8::/32"},
        "serial": {"allow": [f"serial:{people[name].serial}" for name in ("bob", "600-names")]},
        "key": {"allow": f"sha256:{people['bob'].pin}"},
        "any-name": {"allow": ["cn:*", "dns:*", "dns:*.example.com", "uri:spiffe://**",
                               "email:*@*"]},
    }
    return {name: {"trust": "root", **keys} for name, keys in made.items()}


class Gives(typing.NamedTuple):
    """A client that itself gives up, and does not send what it should."""
    words: str              # its own
    cause: str = None       # what the gate says then; None: no TLS began


# Java looks in its keystore for a certificate of the issuers that the gate names. When the last
# of the chain is of another, it sends none, and meets what everybody without one meets.
SENDS_NONE = object()
JAVA = {"java": SENDS_NONE}
# Extensions are parsed as the file is read. (s_client and Java do not care, and send it.)
UNREADABLE = {"python": Gives("INVALID_CERTIFICATE"), "gnutls": Gives("Error in DER parsing")}
# gnutls-cli reads at most six certificates of a file; the library has no such bound.
SIX = {"gnutls": Gives("Too many certs")}
# GnuTLS sends no handshake message of this size, and ends with an alert.
SIZE = {"gnutls": Gives("The handshake data size is too large", "client-alert")}
# Debian's OpenSSL uses no RSA key of 1024 bits (security level 2).
TOO_WEAK = {"python": Gives("EE_KEY_TOO_SMALL"), "openssl": Gives("ee key too small")}


class Row(typing.NamedTuple):
    who: str                # of harness/people.py
    route: str
    cause: str = None       # None: it is admitted
    rule: str = ""          # words about the rules
    but: dict = {}          # by client: Gives, or SENDS_NONE


ROWS = [
    # The certificate itself
    Row(None, "root", "no-client-certificate"),
    Row("alice", "root"),
    Row("rsa", "root"),
    Row("umlaut", "root"),
    Row("no-subject", "root"),
    Row("no-names", "root"),
    Row("nul-cn", "root"),
    Row("wild-cn", "root"),
    Row("bad-san", "root", "client-certificate-refused", but=UNREADABLE),
    Row("no-eku", "root"),
    Row("both-eku", "root"),
    Row("any-eku", "root", "client-certificate-wrong-purpose"),     # OpenSSL wants it by name
    Row("server-eku", "root", "client-certificate-wrong-purpose"),
    Row("expired", "root", "client-certificate-expired"),
    Row("early", "root", "client-certificate-not-yet-valid"),
    Row("weak", "root", "client-certificate-weak", but=TOO_WEAK),
    Row("600-names", "root"),
    Row("10000-names", "root"),
    Row("10000-long-names", "root", "client-certificate-too-large", but=SIZE),
    Row(None, "request"),
    Row("alice", "request"),
    Row("of-stranger", "request", "client-certificate-unknown-issuer", but=JAVA),
    # What is above it
    Row("of-mid", "root"),
    Row("of-mid", "mid"),
    Row("of-mid", "depth-0", "client-certificate-chain-too-long"),
    Row("of-mid-alone", "root", "client-certificate-unknown-issuer", but=JAVA),
    Row("of-mid-alone", "mid"),
    Row("alice", "depth-0"),
    Row("alice", "mid", "client-certificate-unknown-issuer", but=JAVA),
    Row("of-stranger", "root", "client-certificate-unknown-issuer", but=JAVA),
    Row("of-stranger-with-root", "root", "client-certificate-unknown-issuer", but=JAVA),
    Row("of-namesake", "root", "client-certificate-bad-signature"),
    Row("of-alice", "root", "client-certificate-issuer-no-ca"),
    Row("of-old-root", "root", "client-certificate-unknown-issuer", but=JAVA),
    Row("of-old-root", "old", "client-certificate-expired"),
    Row("of-old-mid", "root", "client-certificate-expired"),
    Row("self-signed", "root", "client-certificate-self-signed", but=JAVA),
    Row("self-signed", "self"),
    Row("alice", "self", "client-certificate-unknown-issuer", but=JAVA),
    Row("below-5", "root"),                                         # depth is 5
    Row("below-6", "root", "client-certificate-chain-too-long", but=SIX),
    Row("below-6", "depth-6", but=SIX),
    Row("below-7", "depth-6", "client-certificate-chain-too-long", but=SIX),
    Row("beyond-path-length", "root", "client-certificate-chain-too-long"),
    Row("in-name-constraints", "root"),
    Row("out-of-name-constraints", "root", "client-certificate-refused"),
    # Revocation lists
    Row("alice", "crl"),
    Row("revoked", "root"),                                         # which has no list
    Row("revoked", "crl", "client-certificate-revoked"),
    Row("of-mid", "crl", "crl-missing"),
    Row("alice", "old-crl", "crl-expired"),
    Row("revoked", "old-crl", "crl-expired"),
    Row("alice", "early-crl", "crl-not-yet-valid"),
    # Rules
    Row("alice", "cn", None, "admitted by allow = cn:al*"),
    Row("alfred", "cn", DENIED, "refused by deny = cn:alf*"),
    Row("bob", "cn", DENIED, "does not match allow = cn:al*"),
    Row("nul-cn", "cn", DENIED, "unreadable ones, for rules on names"),
    Row("alice", "exact-cn", None, "admitted by allow = cn:alice"),
    Row("umlaut", "exact-cn", None, "admitted by allow = cn:Jörg *"),
    Row("nul-cn", "exact-cn", DENIED, "none of 2 allow rules matches"),
    Row("wild-cn", "exact-cn", DENIED, "none of 2 allow rules matches"),
    Row("no-names", "exact-cn", DENIED, "none of 2 allow rules matches"),
    Row("of-stranger", "exact-cn", "client-certificate-unknown-issuer", but=JAVA),
    Row("expired", "exact-cn", "client-certificate-expired"),
    Row("alice", "no-cn", None, "admitted: no deny matches, and there is no allow"),
    Row("600-names", "no-cn", DENIED, "too many names"),            # one of them might be denied
    Row("alice", "ou", None, "admitted by allow = ou:dev"),
    Row("bob", "ou", DENIED),
    Row("alice", "o", None, "admitted by allow = o:Acme"),
    Row("no-names", "o", None, "admitted by allow = o:Acme"),
    Row("bob", "o", DENIED),
    Row("alice", "dns", None, "admitted by allow = dns:*.example.com"),
    Row("alfred", "dns", None, "admitted by allow = dns:*.example.com"),
    Row("no-subject", "dns", None, "admitted by allow = dns:*.example.com"),
    Row("bob", "dns", DENIED),                                      # a label too many
    Row("nul-dns", "dns", DENIED),
    Row("wild-dns", "dns", DENIED),
    Row("600-names", "dns", DENIED, "too many names"),
    Row("10000-names", "dns", DENIED, "too many names"),
    Row("alice", "no-dns", DENIED, "refused by deny = dns:*.example.com"),
    Row("bob", "no-dns"),
    Row("alice", "uri", None, "admitted by allow = uri:spiffe://prod/ns/*/sa/reader"),
    Row("nul-uri", "uri", DENIED),
    Row("alice", "email", None, "admitted by allow = email:*@example.com"),
    Row("nul-email", "email", DENIED),
    Row("nul-dns", "any-name", None, "admitted by allow = cn:*"),   # by its other name
    Row("nul-cn", "any-name", DENIED, "none of 5 allow rules matches"),
    Row("alice", "ip", None, "admitted by allow = ip:10.0.0.0/8"),
    Row("bob", "ip", DENIED),
    Row("alice", "ip6", None, "admitted by allow = ip:2001:db8::/32"),
    Row("bob", "serial", None, "admitted by allow = serial:"),
    Row("alice", "serial", DENIED),
    Row("600-names", "serial", None, "admitted by allow = serial:"),
    Row("bob", "key", None, "admitted by allow = sha256:"),
    Row("alice", "key", DENIED, "does not match allow = sha256:"),
]

# What a client is told of each cause; where the versions differ, of TLS 1.2 and 1.3.
ALERTS = {
    "no-client-certificate": ("handshake_failure", "certificate_required"),
    "client-denied": "access_denied",
    "client-certificate-refused": "certificate_unknown",
    "client-certificate-wrong-purpose": "unsupported_certificate",
    "client-certificate-expired": "certificate_expired",
    "client-certificate-not-yet-valid": "bad_certificate",
    "client-certificate-weak": "bad_certificate",
    "client-certificate-too-large": "illegal_parameter",
    "client-certificate-unknown-issuer": "unknown_ca",
    "client-certificate-chain-too-long": "unknown_ca",
    "client-certificate-bad-signature": "decrypt_error",
    "client-certificate-issuer-no-ca": "unknown_ca",
    "client-certificate-self-signed": "unknown_ca",
    "client-certificate-revoked": "certificate_revoked",
    "crl-missing": "unknown_ca",
    "crl-expired": "certificate_expired",
    "crl-not-yet-valid": "bad_certificate",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("mx"))


@pytest.fixture(scope="module")
def clients(java):
    return {"python": Python(), "openssl": OpenSSL(), "gnutls": GnuTLS(),
            "java": Java(java, obeys=False), "java that obeys": Java(java, obeys=True)}


@pytest.fixture(scope="module")
def shared_gate(world, certs, tmp_path_factory):
    """One for all rows, with a route for each kind of demands."""
    served = certs.issue("mx-served", "served", usage="serverAuth", names=f"DNS:{DOMAIN}")
    service = Origin(echo)
    sections = {"proxy": {"workers": 1, "drain_timeout": "5s"},
                "store node": {"cert": served.cert, "key": served.key},
                **{f"trust {name}": keys for name, keys in world.trusts.items()}}
    for name, keys in routes(world.people).items():
        sections[f"route {name}"] = {"listen": "127.0.0.1:0", "sni": f"*.{name}.{DOMAIN}",
                                     "store": "node", "upstream": service.address, **keys}
    path = tmp_path_factory.mktemp("mx-gate") / "sallyport.conf"
    path.write_text(render(sections), encoding="utf-8")
    made = Gate(["serve", "-c", path])
    made.path, made.visits, made.numbers = path, 0, itertools.count(1)
    yield made
    made.close()
    service.close()
    assert sum("reason" in record for record in made.records) == made.visits, made.text()


@pytest.fixture
def gate(request, shared_gate):
    request.node.gates.append(shared_gate)      # for the report of a failure
    return shared_gate


def explain(gate, route, who):
    done = run("explain", "--json", "-c", gate.path, "--sni", f"x.{route}.{DOMAIN}",
               *(["--cert", who.pem] if who else []))
    said = json.loads(done.stdout)
    assert done.returncode == (said["verdict"] == "refused") and said["route"]["name"] == route
    return said


# OpenSSL 3.2 and later send certificates compressed, and have another alert for these.
COMPRESSED = {"client-certificate-too-large": "bad_certificate"}


def alert_of(cause, version):
    if cause is None:
        return "echo"
    alert = ALERTS[cause]
    return alert if isinstance(alert, str) else alert[version == "1.3"]


def logged(text):
    """As the log has it: printable ASCII, a backslash double."""
    return "".join("\\\\" if c == 92 else chr(c) if 32 <= c < 127 else f"\\x{c:02x}"
                   for c in text.encode())


def compare(met, said):
    """The line in the log, and what explain said of it."""
    for field in ("cause", "side", "what", "fix"):
        assert met.get(field) == said[field], field
    if said["cause"] in (None, DENIED):         # then its names are believed
        assert met.get("identity", "") == logged(said["identity"] or "")
    if said["cause"] == DENIED:
        assert met["reason"] == DENIED and met["rule"] == logged(said["rule"]["text"])
    elif said["cause"]:
        assert met["reason"] == "handshake-failed"
    else:
        assert met["reason"] in ("done", "client-cut", "client-reset")
        assert met["upstream"] == said["upstream"] and int(met["bytes_in"]) > 0


@pytest.mark.parametrize("row", ROWS, ids=lambda r: f"{r.who or 'nobody'}-at-{r.route}")
def test_row(gate, world, clients, row):
    who = row.who and world.people[row.who]
    said = explain(gate, row.route, who)
    assert said["cause"] == row.cause
    assert not row.rule or row.rule in said["rule"]["text"]
    wrong = []
    for client, version in [(c, v) for c in clients for v in ("1.2", "1.3")]:
        try:
            meet(gate, clients[client], version, row.route, who, said, row.but.get(client))
        except AssertionError as e:
            wrong.append(f"{client}, TLS {version}: {e}")
    assert not wrong, "\n".join(wrong)


def meet(gate, client, version, route, who, said, but):
    name = f"n{next(gate.numbers)}.{route}.{DOMAIN}"        # tells which line is this visit's
    told = client.visit(gate, version, name, who)
    if isinstance(but, Gives):
        assert but.words in told
        if but.cause:
            gate.visits += 1
            assert gate.await_access(sni=name)["cause"] == but.cause
        return
    if but is SENDS_NONE:
        said = explain(gate, route, None)
    gate.visits += 1
    compare(gate.await_access(sni=name), said)
    assert told in (alert_of(said["cause"], version), COMPRESSED.get(said["cause"]))
