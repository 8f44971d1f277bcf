"""explain: what it says of a client is what that client meets over the wire."""

import json
import re
import subprocess

import pytest

from harness import client, gate as gate_module
from harness.certs import CA_EXT, LEAF_EXT, Pair, openssl
from harness.gate import render
from harness.origin import echo
from harness.waiting import PATIENCE

SERVED = {                              # a store each, with these names
    "one": "DNS:one.example,DNS:*.one.example",
    "two": "DNS:two.example",
    "plain": "DNS:plain.example,DNS:*.plain.example",
}


def uri_name(uri):
    """A subject alternative name whose bytes are these, as openssl's DER:… takes it."""
    der = bytes([0x30, 2 + len(uri), 0x86, len(uri)]) + uri
    return der.hex(":")


@pytest.fixture(scope="module")
def clients(certs):
    """By name: a certificate as a client has it, with what it sends above it."""
    mid = certs.issue("explain-mid", "Mid", ext=CA_EXT)
    below = certs.issue("explain-below", "below", ca=mid)
    chain = certs.file("explain-chain.crt", below.cert.read_text() + mid.cert.read_text())
    revoked = certs.issue("explain-revoked", "revoked")
    certs.explain_crl = certs.crl("explain", certs.ca, revoked=[revoked])
    return {
        None: None,
        "good": certs.client,
        "uri": certs.client_uri,
        "no usage": certs.issue("explain-any", "any", ext=LEAF_EXT),
        "with its chain": Pair(chain, below.key),
        "without its chain": below,
        "other CA": certs.client_other_ca,
        "expired": certs.client_expired,
        "not yet": certs.client_not_yet,
        "for servers": certs.client_wrong_purpose,
        "revoked": revoked,
        "denied": certs.issue("explain-denied", "alfred"),
        "a test": certs.issue("explain-test", "test", names="DNS:one.test,DNS:one.example"),
        "NUL": certs.issue("explain-nul", "nul", ext=LEAF_EXT + "subjectAltName=DER:"
                           + uri_name(b"spiffe://prod/ns/web/sa/reader\0x") + "\n"),
    }


@pytest.fixture
def gate(sallyport, origin, certs, clients):
    """Routes on one address that differ in all that is judged."""
    sections = {"proxy": {"workers": 1, "drain_timeout": "5s"},
                "listener 127.0.0.1:0": {"unknown_sni": "reject"},
                "trust clients": {"ca": certs.ca.cert},
                "trust checked": {"ca": certs.ca.cert, "crl": certs.explain_crl, "depth": 1}}
    for name, names in SERVED.items():
        pair = certs.issue(f"explain-{name}", name, usage="serverAuth", names=names)
        sections[f"store {name}"] = {"cert": pair.cert, "key": pair.key}
    routes = {
        "one": {"sni": "one.example, *.one.example", "store": "one"},
        "h2": {"sni": "one.example", "alpn": "h2", "store": "one", "client_auth": "request",
               "trust": "clients"},
        "two": {"sni": "two.example", "store": "two", "trust": "clients"},
        "checked": {"sni": "checked.example", "store": "two", "trust": "checked"},
        "only": {"sni": "only.example", "alpn": "mqtt, http/1.1", "store": "one"},
        "ruled": {"sni": "ruled.example", "store": "two", "trust": "clients",
                  "allow": ["uri:spiffe://prod/ns/*/sa/reader", "cn:al*"], "deny": "cn:alf*"},
        "guarded": {"sni": "guarded.example", "store": "two", "trust": "clients",
                    "client_auth": "request", "deny": "dns:*.test"},
        "plain": {"store": "plain", "plaintext_from": "192.0.2.0/24"},
    }
    where = origin(echo).address
    for name, row in routes.items():
        sections[f"route {name}"] = {"listen": "127.0.0.1:0", "upstream": where, **row}
    made = sallyport(sections)
    made.sections = sections
    return made


def explain(path, *args):
    done = gate_module.run("explain", "--json", "-c", path, *args)
    assert done.stderr == "", done.stderr
    said = json.loads(done.stdout)
    assert done.returncode == {"admitted": 0, "refused": 1}[said["verdict"]]
    return said


def by_python(gate, certs, name, alpn, pair):
    try:
        with client.connect(gate.address, certs, name=name, alpn=alpn, client=pair,
                            check=False) as tls:
            tls.sendall(b"x")
            tls.recv(1)
    except OSError:
        pass


def by_openssl(gate, certs, name, alpn, pair):
    host, port = gate.address
    sent = ["-cert", pair.cert, "-key", pair.key, "-cert_chain", pair.cert] if pair else []
    subprocess.run(["openssl", "s_client", "-connect", f"{host}:{port}",
                    *(["-servername", name] if name else ["-noservername"]),
                    *(["-alpn", ",".join(alpn)] if alpn else []), *map(str, sent)],
                   input=b"Q\n", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   timeout=PATIENCE)


def by_gnutls(gate, certs, name, alpn, pair):
    host, port = gate.address
    sent = [f"--x509certfile={pair.cert}", f"--x509keyfile={pair.key}"] if pair else []
    subprocess.run(["gnutls-cli", "-p", str(port), host, "--no-ca-verification",
                    *(["--sni-hostname", name] if name else ["--disable-sni"]),
                    *(f"--alpn={a}" for a in alpn or ()), *sent],
                   input=b"", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   timeout=PATIENCE)


# (name, protocols, certificate, what becomes of it: a route and "", or a cause)
ROWS = [
    ("one.example", None, None, "one", ""),
    ("ONE.example", None, None, "one", ""),
    ("a.one.example", None, "good", "one", ""),
    ("one.example", ["h2"], None, "h2", ""),
    ("one.example", ["http/1.1", "h2"], "good", "h2", ""),
    ("one.example", ["h2"], "other CA", "h2", "client-certificate-unknown-issuer"),
    ("one.example", ["http/1.1"], None, "one", ""),
    ("two.example", None, "good", "two", ""),
    ("two.example", ["h2"], "uri", "two", ""),
    ("two.example", None, "no usage", "two", ""),
    ("two.example", None, "with its chain", "two", ""),
    ("two.example", None, "revoked", "two", ""),        # [trust clients] has no CRL
    ("two.example", None, None, "two", "no-client-certificate"),
    ("two.example", None, "without its chain", "two", "client-certificate-unknown-issuer"),
    ("two.example", None, "other CA", "two", "client-certificate-unknown-issuer"),
    ("two.example", None, "expired", "two", "client-certificate-expired"),
    ("two.example", None, "not yet", "two", "client-certificate-not-yet-valid"),
    ("two.example", None, "for servers", "two", "client-certificate-wrong-purpose"),
    ("checked.example", None, "good", "checked", ""),
    ("checked.example", None, "revoked", "checked", "client-certificate-revoked"),
    ("checked.example", None, "with its chain", "checked", "crl-missing"),
    ("ruled.example", None, "good", "ruled", ""),
    ("ruled.example", None, "uri", "ruled", ""),
    ("ruled.example", None, "denied", "ruled", "client-denied"),
    ("ruled.example", None, "a test", "ruled", "client-denied"),
    ("ruled.example", None, "NUL", "ruled", "client-denied"),
    ("ruled.example", None, "other CA", "ruled", "client-certificate-unknown-issuer"),
    ("ruled.example", None, None, "ruled", "no-client-certificate"),
    ("guarded.example", None, None, "guarded", ""),
    ("guarded.example", None, "good", "guarded", ""),
    ("guarded.example", None, "a test", "guarded", "client-denied"),
    ("only.example", ["http/1.1"], None, "only", ""),
    ("only.example", ["http/1.1", "mqtt"], None, "only", ""),
    ("only.example", None, None, "only", ""),
    ("only.example", ["h2"], None, "only", "no-shared-alpn"),
    ("plain.example", None, None, "plain", ""),
    ("a.plain.example", None, "other CA", "plain", ""),
    (None, None, None, "plain", ""),
    (None, ["h2"], "good", "plain", ""),
    ("else.example", None, None, "plain", "unknown-server-name"),
    ("b.a.plain.example", None, None, "plain", "unknown-server-name"),
    ("a.two.example", None, "good", "plain", "unknown-server-name"),
]


@pytest.mark.parametrize("tool", [by_python, by_openssl, by_gnutls], ids=lambda f: f.__name__)
def test_a_client_meets_what_was_said(gate, certs, clients, tool):
    for name, alpn, who, route, cause in ROWS:
        pair, row = clients[who], (name, alpn, who)
        flags = [*(["--sni", name] if name else []), *(["--alpn", ",".join(alpn)] if alpn else []),
                 *(["--cert", pair.cert] if pair else [])]
        said = explain(gate.path, *flags)
        assert (said["verdict"], said["route"]["name"], said["cause"]) == (
            "refused" if cause else "admitted", route, cause or None), row
        if tool is by_gnutls and who not in (None, "good", "uri", "no usage", "with its chain"):
            continue        # it looks for itself whether a certificate will do, and sends none
        tool(gate, certs, name, alpn, pair)
        met = gate.await_access(route=route)
        assert met.get("sni") == name, row
        if cause:
            assert met["reason"] in ("handshake-failed", "client-denied"), row
            for field in ("cause", "side", "what", "fix"):
                assert met[field] == said[field], row
            if cause == "client-denied":
                assert met["rule"] == said["rule"]["text"], row
                # a backslash is two in the log
                assert met["identity"].replace("\\\\", "\\") == said["identity"], row
        else:
            assert "cause" not in met, row
            assert met.get("alpn") == said["alpn"], row
            assert met.get("identity") == said["identity"], row
            assert met["upstream"] == said["upstream"], row


def test_no_name_can_steer_a_terminal(sallyport, config, certs, origin, tmp_path):
    """Controls of ISO 6429 in both codings, a turn of the line's direction, and an honest name."""
    evil = b"spiffe://x/\xc2\x9b31m\xe2\x80\xae\x9b2J\x7f-J\xc3\xb6rg"
    pair = certs.issue("explain-steering", "x", ext=LEAF_EXT + "subjectAltName=DER:"
                       + uri_name(evil) + "\n")
    path = tmp_path / "c.conf"
    path.write_text(render(config(origin(echo).address, trust="clients")))
    shown = r"uri:spiffe://x/\xc2\x9b31m\xe2\x80\xae\x9b2J\x7f-J"
    for locale, name in [("C.UTF-8", "ö"), ("C", r"\xc3\xb6")]:
        done = gate_module.run("explain", "-c", path, "--cert", pair.cert,
                               env=gate_module.environment(LC_ALL=locale))
        assert f"\nclient       {shown}{name}rg; client_auth" in done.stdout
    done = gate_module.run("explain", "--json", "-c", path, "--cert", pair.cert)
    assert r"x/\u009b31m" in done.stdout and "\x9b" not in done.stdout


def test_the_certificate_is_the_one_that_is_shown(gate, certs):
    for name in ("one.example", "x.one.example", "two.example", "plain.example", None):
        said = explain(gate.path, *(["--sni", name] if name else []))
        pem = subprocess.run(
            ["openssl", "s_client", "-connect", "{}:{}".format(*gate.address),
             *(["-servername", name] if name else ["-noservername"])], input="Q\n",
            capture_output=True, text=True, timeout=PATIENCE).stdout
        shown = openssl("x509", "-noout", "-fingerprint", "-sha256", "-in",
                        certs.file("shown.pem", pem))
        (told,) = said["certificates"]
        assert told["sha256"] == shown.strip().split("=")[1].replace(":", "").lower(), name
        assert told["key"] == "EC P-256"


def test_in_words(gate, certs, clients):
    def words(*args, code):
        done = gate_module.run("explain", "-c", gate.path, *args)
        assert done.returncode == code and done.stderr == ""
        return re.sub(r"(in \d+ \w+|127\.0\.0\.1:[1-9]\d*)", "…", done.stdout)

    line = gate.path.read_text().splitlines().index("[route two]") + 1
    assert words("--sni", "two.example", "--cert", certs.client_uri.cert, code=0) == (
        "listener     127.0.0.1:0\n"
        f"route        two ({gate.path}:{line}), which has the name two.example\n"
        "certificate  CN=two (EC P-256), for DNS:two.example, ends …\n"
        "client       uri:spiffe://prod/ns/web/sa/reader; client_auth is require, by "
        "[trust clients]\n"
        "rules        admitted: there is no rule\n"
        "upstream     …\n"
        "admitted\n")
    rule = gate.path.read_text().splitlines().index("deny = cn:alf*") + 1
    assert words("--sni", "ruled.example", "--cert", clients["denied"].cert, code=1).endswith(
        f"rules        refused by deny = cn:alf* ({gate.path}:{rule}), which cn:alfred is\n"
        "refused      the client's certificate is good, and the rules of the route do not admit "
        "it\n"
        "             (client-denied: see the rule; sallyport explain shows what a certificate "
        "meets)\n")
    said = explain(gate.path, "--sni", "ruled.example", "--cert", clients["denied"].cert)
    assert (said["rule"]["file"], said["rule"]["line"]) == (str(gate.path), rule)
    refused = words("--sni", "two.example", code=1)
    assert refused.endswith(
        "client       without a certificate; client_auth is require\n"
        "refused      the client sent no certificate, and one issued by CN=Test CA is required\n"
        "             (no-client-certificate: give the client a certificate of that issuer, with "
        "its key)\n")
    assert ", which has a wildcard for x.one.example\n" in words("--sni", "x.one.example", code=0)
    assert ", the default: no name was asked for\n" in words(code=0)
    assert ", the default: no route here has the name a.plain.example\n" in words(
        "--sni", "a.plain.example", code=0)
    both = words("--sni", "one.example", code=0)
    assert re.search(r"\nroute +one \(.*\n +beside \[route h2\] \(.*:\d+\), which is for clients "
                     r"that offer h2\n", both), both
    both = words("--sni", "one.example", "--alpn", "h2", code=0)
    assert re.search(r"\nroute +h2 \(.*\n +beside \[route one\] \(.*:\d+\), which is for clients "
                     r"that offer no protocol of these\n", both), both
    assert "beside" not in words("--sni", "two.example", code=1)
    assert "\\x1b" in words("--sni", "\x1b[2J", code=1)


def test_where_it_comes_from(gate, tmp_path):
    sections = dict(gate.sections)
    sections["listener 127.0.0.1:0"] = {"accept_proxy_from": "10.0.0.0/8"}
    path = tmp_path / "from.conf"
    path.write_text(render(sections))
    for ip, header, plaintext in [("10.1.2.3", True, None), ("192.0.2.9", False, "plain"),
                                  ("2001:db8::1", False, None)]:
        said = explain(path, "--from", ip)
        assert (said["proxy_header"], said["plaintext"]) == (header, plaintext), ip
    said = gate_module.run("explain", "-c", path, "--from", "192.0.2.9").stdout
    assert re.search(r"^source +192.0.2.9 may speak plaintext too, .* by \[route plain\]$", said,
                     re.M)
    said = gate_module.run("explain", "-c", path, "--from", "10.1.2.3").stdout
    assert re.search(r"^source +10.1.2.3 has to send a PROXY header first", said, re.M)


def test_a_keystore_is_a_clients_file_too(gate, certs, tmp_path):
    p12 = tmp_path / "client.p12"
    openssl("pkcs12", "-export", "-in", certs.client.cert, "-inkey", certs.client.key,
            "-certfile", certs.ca.cert, "-out", p12, "-passout", "pass:open sesame")
    said = explain(gate.path, "--sni", "two.example", "--cert", p12,
                   "--password-file", certs.password_file)
    assert said["identity"] == "cn:alice"
    done = gate_module.run("explain", "-c", gate.path, "--cert", p12)
    assert done.returncode == 2 and "--password-file FILE" in done.stderr and done.stdout == ""


WRONG = {
    "no such flag": (["--snj", "x"], r'--snj.*unknown flag \(did you mean "--sni"\?\)'),
    "no value": (["--sni"], "--sni: needs a value"),
    "twice": (["--sni", "a", "--sni=b"], "--sni: given twice"),
    "no address": (["--listen", "nonsense"], r'--listen = "nonsense"'),
    "nobody there": (["--listen", "127.0.0.1:1"],
                     r'--listen = "127.0.0.1:1": no route listens there.*127.0.0.1:0'),
    "a network": (["--from", "10.0.0.0/8"], "one address, not a network"),
    "no source": (["--from", "here"], r'--from = "here": not a numeric address$'),
    "an empty protocol": (["--alpn", "h2,,x"], "names of 1 to 255 bytes"),
    "a long name": (["--sni", "a" * 256], "at most 255 bytes"),
    "no file": (["--cert", "/does/not/exist"], r"--cert.*/does/not/exist"),
    "no certificate": (["--cert", "/etc/hostname"], r"--cert.*/etc/hostname"),
    "an argument": (["here"], "not expected here"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage(gate, case):
    args, words = WRONG[case]
    done = gate_module.run("explain", "-c", gate.path, *args)
    assert done.returncode == 2 and done.stdout == ""
    assert re.search(words, done.stderr), done.stderr


def test_a_bad_configuration(config, tmp_path):
    path = tmp_path / "bad.conf"
    path.write_text(render({**config("127.0.0.1:9"), "store node": {"cert": "/no", "key": "/no"}}))
    done = gate_module.run("explain", "-c", path)
    assert done.returncode == 1 and done.stdout == "" and "error: [store node]" in done.stderr


def test_which_address(config, certs, tmp_path):
    sections = config("127.0.0.1:9", listen=["0.0.0.0:7001", "127.0.0.1:7002", "[::]:7003",
                                             "unix:/run/x.sock"])
    path = tmp_path / "several.conf"
    path.write_text(render(sections))
    for dialled, listener in [("0.0.0.0:7001", "0.0.0.0:7001"), ("192.0.2.1:7001", "0.0.0.0:7001"),
                              ("127.0.0.1:7002", "127.0.0.1:7002"), ("[::1]:7003", "[::]:7003"),
                              ("unix:/run/x.sock", "unix:/run/x.sock")]:
        assert explain(path, "--listen", dialled)["listener"] == listener
    for dialled in (["--listen", "192.0.2.1:7002"], ["--listen", "127.0.0.1:7003"], []):
        done = gate_module.run("explain", "-c", path, *dialled)
        assert done.returncode == 2 and "--listen" in done.stderr
