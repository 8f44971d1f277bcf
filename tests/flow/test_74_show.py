"""show FILE: every entry, what it is, and what is wrong with it."""

import base64
import datetime
import hashlib
import json
import os
import pathlib
import re
import resource
import subprocess

import pytest

from harness import gate
from harness.certs import openssl
from harness.waiting import until


DATA = pathlib.Path(__file__).parents[1] / "unit/tls/data"     # keystores, as keytool makes them


def show(*args, code=0):
    done = gate.run("show", "--json", *args)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def der(pem):
    """The DER of each certificate in a PEM file, in its order."""
    blocks = re.findall(r"-----BEGIN CERTIFICATE-----(.*?)-----END", pem.read_text(), re.S)
    return [base64.b64decode(b) for b in blocks]


def sha256(pem):
    return [hashlib.sha256(d).hexdigest() for d in der(pem)]


def bundle(certs, name, *paths):
    return certs.file(name, "".join(p.read_text() for p in paths))


def closed():
    """The reading end of a pipe that nobody writes into."""
    read, write = os.pipe()
    os.close(write)
    return os.fdopen(read)


def said(listing, level, words):
    return [f for f in listing["findings"]
            if f["level"] == level and re.search(words, f["message"])]


def test_a_key_with_its_chain(certs):
    path = bundle(certs, "pair.pem", certs.server.key, certs.server.cert, certs.ca.cert)
    listing = show(path)
    assert (listing["file"], listing["form"]) == (str(path), "pem")
    (entry,) = listing["entries"]
    assert (entry["kind"], entry["key"], entry["encrypted"]) == ("key", "EC P-256", False)
    assert entry["alias"] is None
    leaf, root = entry["chain"]
    assert [leaf["sha256"], root["sha256"]] == sha256(path)
    assert leaf["serial"] == certs.server.serial
    assert leaf["names"] == ["DNS:localhost", "DNS:service.example", "IP:127.0.0.1", "IP:::1"]
    assert (leaf["subject"], leaf["issuer"]) == ("CN=localhost", "CN=Test CA")
    assert (leaf["ca"], leaf["self_signed"], leaf["version"]) == (False, False, 3)
    assert (root["ca"], root["self_signed"], root["names"]) == (True, True, [])
    pubkey = openssl("x509", "-in", certs.server.cert, "-noout", "-pubkey").splitlines()[1:-1]
    assert leaf["spki_sha256"] == hashlib.sha256(base64.b64decode("".join(pubkey))).hexdigest()
    end = openssl("x509", "-in", certs.server.cert, "-noout", "-enddate", "-dateopt", "iso_8601")
    assert leaf["not_after"] == end.strip().partition("=")[2].replace(" ", "T")
    assert said(listing, "note", "the chain of CN=localhost is whole: it ends with the root")
    assert not said(listing, "warning", "")


def test_wrong_order_is_told_and_put_right(certs):
    path = bundle(certs, "reversed.pem", certs.ca.cert, certs.server.cert, certs.server.key)
    listing = show(path)
    assert [c["sha256"] for c in listing["entries"][0]["chain"]] == sha256(path)[::-1]
    assert said(listing, "warning", "the chain of CN=localhost are not in order")[0]["hint"]


def test_a_bundle_without_key_keeps_its_order(certs):
    path = bundle(certs, "roots.pem", certs.other_ca.cert, certs.ca.cert)
    listing = show(path)
    assert [e["kind"] for e in listing["entries"]] == ["certificate", "certificate"]
    assert [e["chain"][0]["sha256"] for e in listing["entries"]] == sha256(path)
    assert listing["findings"] == []


def test_der(certs):
    path = certs.dir / "one.der"
    openssl("x509", "-in", certs.server.cert, "-outform", "DER", "-out", path)
    listing = show(path)
    assert listing["form"] == "der"
    assert listing["entries"][0]["chain"][0]["sha256"] == sha256(certs.server.cert)[0]


def test_a_closed_key_is_an_entry(certs):
    path = bundle(certs, "closed.pem", certs.server_encrypted.key, certs.server.cert)
    cert, key = show(path)["entries"]
    assert (key["kind"], key["key"], key["encrypted"], key["chain"]) == ("key", None, True, [])
    assert (cert["kind"], cert["key"]) == ("certificate", "EC P-256")
    (entry,) = show(path, "--password-file", certs.password_file)["entries"]
    assert (entry["key"], entry["encrypted"]) == ("EC P-256", True)
    assert entry["chain"][0]["sha256"] == sha256(certs.server.cert)[0]


def test_a_wrong_password_is_an_error(certs):
    listing = show(certs.server_encrypted.key, "--password-file", certs.wrong_password_file, code=1)
    assert said(listing, "error", "the password does not open")
    assert listing["entries"][0]["key"] is None


def test_a_trusted_certificate(certs):
    path = certs.dir / "trusted.pem"
    openssl("x509", "-in", certs.client.cert, "-trustout", "-out", path)
    (entry,) = show(path)["entries"]
    assert entry["kind"] == "trusted"


def test_a_key_of_another_certificate(certs):
    path = bundle(certs, "strangers.pem", certs.server.cert, certs.client.key)
    listing = show(path)
    assert [e["kind"] for e in listing["entries"]] == ["certificate", "key"]
    assert said(listing, "warning", "belongs to none of the certificates")


def test_a_request(certs):
    (entry,) = show(certs.server.cert.with_suffix(".csr"))["entries"]
    assert (entry["kind"], entry["subject"], entry["key"]) == (
        "request", "CN=localhost", "EC P-256")


@pytest.mark.parametrize("content", ["", "no certificate\n", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_what_cannot_be_read(certs, content):
    listing = show(certs.file("bad.pem", content), code=1)
    assert listing["entries"] == [] and said(listing, "error", "")


def test_for_people(certs):
    pair = bundle(certs, "people.pem", certs.server.cert, certs.server.key)
    done = gate.run("show", pair, certs.server_expired.cert)
    assert done.returncode == 0
    text = done.stdout
    assert f"{pair}: PEM, 1 entry" in text
    assert re.search(r"^\[1\] private key with its certificate$", text, re.M)
    assert re.search(r"^ +valid .* UTC to .* UTC, ends in 2[89] days$", text, re.M)
    assert re.search(r"CN=localhost expired \d+ days ago \(2021-01-01 .*\(renew it\)$", text, re.M)


def test_usage():
    done = gate.run("show")
    assert done.returncode == 2 and "name a file" in done.stderr
    assert gate.run("show", "--workers", "1", "x").returncode == 2


def test_a_revocation_list(certs):
    path = certs.crl("shown", certs.ca, [certs.client],
                     dates=("20200101000000Z", "20210101000000Z"))
    listing = show(path)
    (entry,) = listing["entries"]
    (crl,) = entry["chain"]
    assert (entry["kind"], entry["revoked"]) == ("crl", 1)
    assert (crl["issuer"], crl["serial"]) == ("CN=Test CA", "01")
    assert (crl["not_before"], crl["not_after"]) == ("2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z")
    assert said(listing, "warning", "the CRL of CN=Test CA was to be replaced .* ago")
    text = gate.run("show", path).stdout
    assert re.search(r"^ +revokes +1 certificate$", text, re.M)


@pytest.mark.parametrize("form", ["jks", "jceks", "p12"])
def test_keystores(certs, form):
    """As keytool makes them; names come as they are, and not escaped."""
    password = certs.file("keystore-password", "changeit\n")
    listing = show(DATA / f"names.{form}", "--password-file", password)
    assert listing["form"] == {"p12": "pkcs12"}.get(form, form)
    (entry,) = listing["entries"]
    assert (entry["alias"], entry["kind"], entry["encrypted"]) == ("knötchen😀", "key", True)
    assert [c["subject"] for c in entry["chain"]] == ["CN=node1", "CN=ca"]
    for locale, alias in (("C", r"kn\xc3\xb6tchen"), ("C.UTF-8", "knötchen😀")):
        text = gate.run("show", DATA / f"names.{form}", "--password-file", password,
                        env=gate.environment(LC_ALL=locale)).stdout
        assert f"alias      {alias}" in text


@pytest.mark.parametrize("name", ["secret.p12", "secret.jceks"])
def test_a_secret_key(certs, name):
    path = DATA / name
    listing = show(path, "--password-file", certs.file("keystore-password", "changeit\n"))
    (entry,) = listing["entries"]
    assert (entry["alias"], entry["kind"], entry["what"]) == ("hush", "secret", "secret key")
    assert (entry["key"], entry["encrypted"], entry["chain"]) == (None, True, [])
    assert said(listing, "note", '"hush" cannot be served')


@pytest.mark.parametrize("text, hint", [
    ("changeit \n", "ends with a blank"),
    ("changeit\n\n", "ends with a newline"),
    ("\ufeffchangeit\n", "byte order mark"),
    ("other:changeit\n", r"the name must be names\.p12"),
    ("\n", "empty"),
])
def test_a_password_file_that_is_nearly_right(certs, text, hint):
    listing = show(DATA / "names.p12", "--password-file", certs.file("nearly", text), code=1)
    (error,) = said(listing, "error", "does not open")
    assert re.search(hint, error["hint"])


def test_a_password_file_by_names_without_ending(certs):
    (entry,) = show(DATA / "names.p12", "--password-file",
                    certs.file("list", "more:no\nnames:changeit\n"))["entries"]
    assert entry["key"] == "EC P-256"


@pytest.mark.parametrize("form", ["pem", "der"])
def test_a_lone_certificate_lacks_its_issuer(certs, form):
    path = certs.dir / f"lone.{form}"
    openssl("x509", "-in", certs.server.cert, "-outform", form.upper(), "-out", path)
    assert said(show(path), "note", "holds no issuer of CN=localhost")
    assert show(certs.ca.cert)["findings"] == []


def test_names_of_certificates_in_the_user_s_characters(certs):
    """But for what would turn the line around."""
    pair = certs.issue("names", "Jörg\u202eevil")
    for locale, name in (("C", r"CN=J\xc3\xb6rg\xe2\x80\xaeevil"),
                         ("C.UTF-8", r"CN=Jörg\xe2\x80\xaeevil")):
        text = gate.run("show", pair.cert, env=gate.environment(LC_ALL=locale)).stdout
        assert f"subject    {name}\n" in text and f"holds no issuer of {name}" in text


def dated(days):
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)).strftime(
        "%Y%m%d%H%M%SZ")


@pytest.mark.parametrize("begun, left, soon", [(300, 20, True), (300, 22, False), (1, 3, False),
                                               (9, 3, True)])
def test_a_near_end(certs, begun, left, soon):
    """By the rule of warn_before: 21 days, and of what lives shorter the last third."""
    pair = certs.issue(f"near-{begun}-{left}", "near", dates=(dated(-begun), dated(left)))
    warnings = said(show(bundle(certs, "near.pem", pair.key, pair.cert)), "warning",
                    r"CN=near expires in \d+ days? \(20")
    assert [w["hint"] for w in warnings] == (["renew it"] if soon else [])


def test_a_revocation_list_that_is_nearly_due(certs):
    path = certs.crl("due", certs.ca, dates=(dated(-9), dated(3)))
    assert said(show(path), "warning", "the CRL of CN=Test CA has to be replaced in ")


def test_standard_input(certs):
    with certs.server.cert.open() as pipe:
        done = gate.run("show", "--json", "-", stdin=pipe)
    listing = json.loads(done.stdout)
    assert (done.returncode, listing["file"], len(listing["entries"])) == (0, "-", 1)
    assert said(listing, "note", "^standard input: ")
    text = subprocess.run(f"cat {certs.server.cert} | {gate.SALLYPORT} show -", shell=True,
                          capture_output=True, text=True, check=True, timeout=60).stdout
    assert text.startswith("standard input: PEM, 1 entry\n")
    done = subprocess.run(f"cat /dev/zero | {gate.SALLYPORT} show -", shell=True, text=True,
                          capture_output=True, timeout=60)
    assert done.returncode == 1 and "standard input: larger than 10 MiB" in done.stdout
    assert "standard input: the file is empty" in gate.run("show", "-", stdin=closed()).stdout


def test_findings_name_the_file(certs):
    for path in (certs.server.cert, certs.dir / "nowhere.pem"):
        done = gate.run("show", "--json", path)
        findings = json.loads(done.stdout)["findings"]
        assert findings and {f["file"] for f in findings} == {str(path)}


def test_a_truncated_certificate(certs):
    whole = der(certs.server.cert)[0]
    path = certs.dir / "cut.der"
    path.write_bytes(whole[:-7])
    assert said(show(path, code=1), "error",
                f"cut short: {len(whole) - 7} of {len(whole)} bytes are there")


@pytest.mark.parametrize("verb", ["show", "check"])
def test_nothing_of_a_key_can_get_into_a_core_file(tmp_path, verb):
    """While it reads, here a pipe that is not written yet."""
    pipe = tmp_path / "key.pem"
    os.mkfifo(pipe)
    args = ["show", pipe] if verb == "show" else [
        "check", "--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:1", "--cert", pipe]
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    process = subprocess.Popen(
        [gate.SALLYPORT, *map(str, args)], stdout=subprocess.DEVNULL, env=gate.environment(),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (most, most)))
    try:
        limits = pathlib.Path(f"/proc/{process.pid}/limits")
        until("it reads", lambda: re.search(r"core file size +0 +0 ", limits.read_text()))
        pipe.write_text("nothing")
        assert process.wait(20) == 1
    finally:
        process.kill()
        process.wait()
