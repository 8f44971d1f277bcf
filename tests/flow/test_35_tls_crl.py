"""Revocation: with a CRL in the trust, everybody below the anchor is checked, or not let in."""

import os
import re
import shutil
import signal

import pytest

from harness import client, findings, gate
from harness.certs import CA_EXT, Pair, openssl
from harness.gate import render
from harness.origin import echo

PAST = ("20200101000000Z", "20210101000000Z")
FUTURE = ("20900101000000Z", "20910101000000Z")
REVOKED, UNKNOWN_CA = "SSLV3_ALERT_CERTIFICATE_REVOKED", "TLSV1_ALERT_UNKNOWN_CA"


class Family:
    """A root; an intermediate; clients of each, the intermediate's with its chain."""

    def __init__(self, certs):
        self.root = certs.authority("crl-root", "CRL Root")
        self.mid = certs.issue("crl-mid", "CRL Mid", ca=self.root, ext=CA_EXT)
        self.direct = certs.issue("crl-direct", "direct", ca=self.root)
        self.good = self.chained(certs, "crl-good", "good")
        self.bad = self.chained(certs, "crl-bad", "bad")
        self.root_crl = certs.crl("root-good", self.root)
        self.root_bad = certs.crl("root-bad", self.root, [self.direct])
        self.root_mid_bad = certs.crl("root-mid-bad", self.root, [self.mid], reason="superseded")
        self.root_old = certs.crl("root-old", self.root, dates=PAST)
        self.root_early = certs.crl("root-early", self.root, dates=FUTURE)
        self.mid_crl = certs.crl("mid-good", self.mid)
        self.mid_bad = certs.crl("mid-bad", self.mid, [self.bad])
        self.other_crl = certs.crl("other-good", certs.other_ca)
        twin = certs.authority("crl-twin", "CRL Root")
        self.twin_crl = certs.crl("twin-good", twin)

    def chained(self, certs, name, cn):
        pair = certs.issue(name, cn, ca=self.mid)
        both = certs.file(f"{name}-chain.crt", pair.cert.read_text() + self.mid.cert.read_text())
        chained = Pair(both, pair.key)
        chained.serial = pair.serial
        return chained


@pytest.fixture(scope="module")
def family(certs):
    return Family(certs)


def trusting(config, upstream, ca, *crls):
    sections = config(upstream, trust="clients")
    sections["trust clients"] = {"ca": ca, "crl": list(crls)} if crls else {"ca": ca}
    return sections


def refused(proxy, certs, who, alert, cause, side, *words):
    assert client.outcome(proxy.address, certs, client=who) == alert
    line = proxy.await_access(reason="handshake-failed", cause=cause)
    assert line["side"] == side and line["fix"], line
    for word in words:
        assert word in line["what"], line
    return line


def test_revoked_by_the_root(sallyport, config, origin, certs, family):
    proxy = sallyport(trusting(config, origin(echo).address, family.root.cert, family.root_bad))
    refused(proxy, certs, family.direct, REVOKED, "client-certificate-revoked", "client",
            "client certificate CN=direct was revoked by CN=CRL Root", "(2026-01-01 00:00 UTC)",
            "reason keyCompromise")


@pytest.mark.parametrize("version", client.VERSIONS, ids=client.version_id)
def test_a_chain_with_an_intermediate(sallyport, config, origin, certs, family, version):
    proxy = sallyport(trusting(config, origin(echo).address, family.root.cert, family.root_crl,
                               family.mid_bad))
    for who in (family.direct, family.good):
        assert client.outcome(proxy.address, certs, client=who, version=version) == "ok"
    refused(proxy, certs, family.bad, REVOKED, "client-certificate-revoked", "client",
            "CN=bad was revoked by CN=CRL Mid")


def test_a_revoked_intermediate(sallyport, config, origin, certs, family):
    proxy = sallyport(trusting(config, origin(echo).address, family.root.cert,
                               family.root_mid_bad, family.mid_crl))
    refused(proxy, certs, family.good, REVOKED, "client-certificate-revoked", "client",
            "CA certificate CN=CRL Mid above client certificate CN=good was revoked",
            "reason superseded")
    assert client.outcome(proxy.address, certs, client=family.direct) == "ok"


def test_no_list_of_the_intermediate(sallyport, config, origin, certs, family):
    proxy = sallyport(trusting(config, origin(echo).address, family.root.cert, family.root_crl))
    refused(proxy, certs, family.good, UNKNOWN_CA, "crl-missing", "us",
            "CN=good cannot be checked: our trust has no CRL of CN=CRL Mid")
    assert client.outcome(proxy.address, certs, client=family.direct) == "ok"


def test_the_anchor_itself_needs_no_list(sallyport, config, origin, certs, family):
    """The intermediate is the anchor: its issuer, whom nobody knows here, is not asked."""
    proxy = sallyport(trusting(config, origin(echo).address, family.mid.cert, family.mid_bad))
    assert client.outcome(proxy.address, certs, client=family.good) == "ok"
    refused(proxy, certs, family.bad, REVOKED, "client-certificate-revoked", "client")


def test_a_client_that_is_an_anchor(sallyport, config, origin, certs, family):
    """Believed because it is listed, beside a CA with a list."""
    both = certs.file("crl-anchors.pem",
                      family.root.cert.read_text() + certs.client_other_ca.cert.read_text())
    proxy = sallyport(trusting(config, origin(echo).address, both, family.root_bad))
    assert client.outcome(proxy.address, certs, client=certs.client_other_ca) == "ok"
    refused(proxy, certs, family.direct, REVOKED, "client-certificate-revoked", "client")


@pytest.mark.parametrize("which, cause, words", [
    ("root_old", "crl-expired", "the CRL of CN=CRL Root expired"),
    ("root_early", "crl-not-yet-valid", "the CRL of CN=CRL Root is in force"),
])
def test_a_list_out_of_its_time(sallyport, config, origin, certs, family, which, cause, words):
    """Warned of at the start; and nobody comes in."""
    proxy = sallyport(trusting(config, origin(echo).address, family.root.cert,
                               getattr(family, which)))
    assert proxy.says(r"the CRL of CN=CRL Root (expired|is in force from) .*refused")
    assert client.outcome(proxy.address, certs, client=family.direct) != "ok"
    line = proxy.await_access(reason="handshake-failed", cause=cause)
    assert line["side"] == "us" and words in line["what"]


@pytest.mark.parametrize("form", ["PEM", "DER", "within ca"])
def test_forms(sallyport, config, origin, certs, family, form):
    ca, crl = family.root.cert, family.root_bad
    if form == "DER":
        crl = certs.dir / "root-bad.der"
        openssl("crl", "-in", family.root_bad, "-outform", "DER", "-out", crl)
    if form == "within ca":
        ca = certs.file("ca-and-crl.pem", ca.read_text() + crl.read_text())
    lists = [] if form == "within ca" else [crl]
    proxy = sallyport(trusting(config, origin(echo).address, ca, *lists))
    refused(proxy, certs, family.direct, REVOKED, "client-certificate-revoked", "client")


def test_a_reload_takes_a_new_list(sallyport, config, origin, certs, family, tmp_path):
    crl = tmp_path / "ca.crl"
    shutil.copy(family.root_crl, crl)
    sections = trusting(config, origin(echo).address, family.root.cert, crl)
    sections["route main"]["on_expiry"] = "keep"
    proxy = sallyport(sections)
    with client.Careful(proxy.address, certs, client=family.direct).handshake() as live:
        shutil.copy(family.root_bad, tmp_path / "new")
        os.rename(tmp_path / "new", crl)
        proxy.signal(signal.SIGHUP)
        proxy.await_message("^reload done")
        refused(proxy, certs, family.direct, REVOKED, "client-certificate-revoked", "client")
        live.send(b"as before")
        assert live.receive(9) == b"as before"
        live.end()
        assert live.recv() == b""


def test_a_note_about_a_list_is_said_once(sallyport, config, origin, certs, family):
    """Of a CA that the trust does not have; to HUP too, until another list lies there."""
    sections = trusting(config, origin(echo).address, family.root.cert, family.root_crl,
                        family.mid_crl)
    proxy = sallyport(sections)

    def notes():
        return [r for r in proxy.records if "CRL Mid" in r["message"] and r["level"] == "info"]

    proxy.await_message("^sallyport .* started")
    assert len(notes()) == 1
    for _ in range(2):
        proxy.signal(signal.SIGHUP)
        proxy.await_message("^reload done")
    assert len(notes()) == 1


WRONG = {
    "a certificate": (lambda f, c: f.root.cert, r"holds a certificate and no certificate rev"),
    "text": (lambda f, c: c.file("crl.txt", "no list\n"), r"neither PEM nor DER"),
    "of another CA": (lambda f, c: f.other_crl, r"there are CRLs, and none of CN=CRL Root"),
    "of a CA of the same name": (lambda f, c: f.twin_crl,
                                 r"CRL of CN=CRL Root is not signed by the CN=CRL Root in `ca`"),
    "damaged": (lambda f, c: c.file("cut.crl", f.root_crl.read_text()[:200]), r"damaged|END"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_lists(config, certs, family, tmp_path, case):
    make, words = WRONG[case]
    path = tmp_path / "wrong.conf"
    path.write_text(render(trusting(config, "127.0.0.1:9", family.root.cert, make(family, certs))))
    line = findings.only_error(path)
    assert "[trust clients]" in line
    assert re.search(words, line), line


def test_a_ca_without_a_list_is_a_warning(config, certs, family, tmp_path):
    path = tmp_path / "warn.conf"
    ca = certs.file("two-cas.pem", family.root.cert.read_text() + certs.other_ca.cert.read_text())
    path.write_text(render(trusting(config, "127.0.0.1:9", ca, family.root_crl)))
    done = gate.run("check", "-c", path)
    assert done.returncode == 0
    assert "warning: [trust clients]" in done.stdout
    assert "there are CRLs, and none of CN=Other CA" in done.stdout
