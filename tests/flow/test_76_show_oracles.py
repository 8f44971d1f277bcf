"""`sallyport show --json` says of every file what keytool, pyjks and openssl say of it; and when a
keystore is not to be had, what is in the way is told apart."""

import json
import re
import subprocess

import pytest

from harness import findings, keystore, keytool
from harness.certs import openssl
from harness.gate import render, run

pytestmark = pytest.mark.systems

K8S_KEY, K8S_TRUST = keytool.K8SSANDRA_KEYSTORE_PASSWORD, keytool.K8SSANDRA_TRUSTSTORE_PASSWORD

# script, file, its password, the key's own, its form
KEYSTORES = [
    ("pravega", "server01.keystore.jks", "changeit", None, "pkcs12"),
    ("pravega", "client.truststore.jks", "changeit", None, "pkcs12"),
    ("pravega-asked", "server01.keystore.jks", "changeit", None, "pkcs12"),
    ("alluxio", "keystore.jks", "keypass", None, "pkcs12"),
    ("alluxio", "truststore.jks", "trustpass", None, "pkcs12"),
    ("k8ssandra", "keystore", K8S_KEY, None, "pkcs12"),
    ("k8ssandra", "truststore", K8S_TRUST, None, "pkcs12"),
    ("flink", "ca.keystore", "password", None, "pkcs12"),
    ("flink", "ca.truststore", "password", None, "pkcs12"),
    ("flink", "node1.keystore", "password", None, "pkcs12"),
    ("flink", "node2.keystore", "password", None, "pkcs12"),
    ("flink-yarn", "node.keystore", "password", None, "pkcs12"),
    ("odd", "two-keys.p12", "keypass", None, "pkcs12"),
    *((f"form-{name}", file, password, own, form)
      for name, (options, form) in keytool.FORMS.items()
      for file, password, own in (
          ("keystore", "keypass",
           "elsewise" if "-keypass" in options and form != "pkcs12" else None),
          ("truststore", "trustpass", None))),
]
CERTIFICATES = [
    ("pravega", "ca-cert", "pem"), ("pravega", "server01.crt", "pem"),
    ("alluxio", "selfsigned.cer", "pem"), ("alluxio", "selfsigned.der", "der"),
    ("k8ssandra", "client.crt_signed", "pem"), ("k8ssandra", "rootca.crt", "pem"),
    ("flink", "ca.cer", "der"), ("flink", "node1.cer", "der"),
    ("dask", "dask-tls-cert.pem", "pem"), ("dask", "dask-tls-ca-cert.pem", "pem"),
]


def show(path, *options, code=0):
    done = run("show", path, "--json", *options)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def secrets_of(folder, password, own):
    options = []
    for flag, text in (("--password-file", password), ("--key-password-file", own)):
        if text:
            file = folder / flag.strip("-")
            file.write_text(text + "\n")
            options += [flag, file]
    return options


def by_alias(shown):
    """{alias: (kind, [SHA-256 of each certificate])}; Java does not tell A from a."""
    assert len({e["alias"].lower() for e in shown["entries"]}) == len(shown["entries"])
    return {e["alias"].lower(): (e["kind"], [c["sha256"] for c in e["chain"]])
            for e in shown["entries"]}


def by_keytool(path, password):
    done = subprocess.run(
        ["keytool", "-list", "-v", "-keystore", path, "-storepass", password], text=True,
        stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60,
        env={"PATH": "/usr/bin:/bin", "JAVA_TOOL_OPTIONS": keytool.QUICK, "LC_ALL": "C"})
    entries = {}
    for text in done.stdout.split("Alias name: ")[1:]:
        kind = {"PrivateKeyEntry": "key", "trustedCertEntry": "trusted"}[
            re.search(r"^Entry type: (\w+)", text, re.M)[1]]
        prints = re.findall(r"^\s+SHA256: ([0-9A-F:]+)$", text, re.M)
        entries[text.splitlines()[0].lower()] = (
            kind, [p.replace(":", "").lower() for p in prints])
    assert "contains %d entr" % len(entries) in done.stdout
    return entries


@pytest.mark.parametrize("script, file, password, own, form", KEYSTORES,
                         ids=[f"{k[0]} {k[1]}" for k in KEYSTORES])
def test_keystores(stores, tmp_path, script, file, password, own, form):
    path = stores[script].folder / file
    shown = show(path, *secrets_of(tmp_path, password, own))
    assert shown["form"] == form
    assert by_alias(shown) == by_keytool(path, password)
    if form != "pkcs12":
        assert by_alias(shown) == keystore.entries(path, password)
    for entry in shown["entries"]:
        if entry["kind"] == "key":
            assert entry["encrypted"] and entry["key"] == entry["chain"][0]["key"]
    assert not any(f["level"] == "error" for f in shown["findings"])


@pytest.mark.parametrize("script, file, form", CERTIFICATES,
                         ids=[f"{c[0]} {c[1]}" for c in CERTIFICATES])
def test_certificates(stores, script, file, form):
    path = stores[script].folder / file
    shown = show(path)
    assert shown["form"] == form
    entry, = shown["entries"]
    assert (entry["alias"], entry["kind"]) == (None, "certificate")
    cert, = entry["chain"]
    said = openssl("x509", "-in", path, "-inform", form, "-noout", "-fingerprint", "-sha256",
                   "-serial", "-subject", "-nameopt", "RFC2253", "-text")
    assert cert["sha256"] == re.search(r"Fingerprint=(\S+)", said)[1].replace(":", "").lower()
    assert cert["serial"] == re.search(r"^serial=(\S+)", said, re.M)[1]
    assert cert["subject"] == re.search(r"^subject=(.+)", said, re.M)[1]
    assert cert["version"] == int(re.search(r"Version: (\d)", said)[1])
    # Version 1 cannot say so: OpenSSL lets a self-signed one pass for a CA.
    assert cert["ca"] == ("CA:TRUE" in said or (cert["version"] == 1 and cert["self_signed"]))
    names = [n.strip() for line in re.findall(r"Subject Alternative Name: *\n(.*)", said)
             for n in line.split(",")]
    assert cert["names"] == [n.replace("IP Address:", "IP:") for n in names]


def test_an_encrypted_ca_key(stores, tmp_path):
    path = stores["pravega"].folder / "ca-key"
    entry, = show(path, *secrets_of(tmp_path, "changeit", None))["entries"]
    assert (entry["kind"], entry["key"], entry["encrypted"]) == ("key", "RSA 2048", True)
    closed, = show(path)["entries"]
    assert (closed["kind"], closed["key"], closed["encrypted"]) == ("key", None, True)


# --- what is in the way ---

WORDS = {       # {file} is the file, or "it" where the line names it before; {form} the form
    "wrong password": r"the password does not open {file} \(.*{form}",
    "wrong key password": r'the password does not open the private key "server-1" in {file}',
    "damaged": r"{file} is .*{form}.*, but damaged",
    "no key": r"no private key entry in {file} \(1 trusted certificate\)",
    "unsupported": r'{file} holds a secret key \(entry 1, "symmetric"\)',
    "several": r'{file} .*"one".*"two"',
    "no such alias": r'no private key entry "three" in {file}',
}


def says(what, line, file, form):
    return re.search(WORDS[what].replace("{file}", f"(?:{re.escape(str(file))}|it)").replace(
        "{form}", re.escape(form)), line, re.I)


# words; script, file, form; password, key's password, alias; how many bytes are left of the file
TROUBLE = {
    "jks wrong": ("wrong password", "form-jks", "keystore", "JKS", "wrong"),
    "jceks wrong": ("wrong password", "form-jceks", "keystore", "JCEKS", "wrong"),
    "pkcs12 wrong": ("wrong password", "form-default", "keystore", "PKCS#12", "wrong"),
    "legacy wrong": ("wrong password", "form-pkcs12-legacy", "keystore", "PKCS#12", "wrong"),
    "jks key": ("wrong key password", "form-jks-keypass", "keystore", "JKS", "keypass"),
    "jceks key": ("wrong key password", "form-jceks-keypass", "keystore", "JCEKS", "keypass"),
    "jks key wrong": ("wrong key password", "form-jks-keypass", "keystore", "JKS", "keypass",
                      "wrong"),
    "jks cut": ("damaged", "form-jks", "keystore", "JKS", "keypass", None, None, 0.5),
    "jceks cut": ("damaged", "form-jceks", "keystore", "JCEKS", "keypass", None, None, 0.5),
    "pkcs12 cut": ("damaged", "form-default", "keystore", "PKCS#12", "keypass", None, None, 0.5),
    "jks trust": ("no key", "form-jks", "truststore", "JKS", "trustpass"),
    "jceks trust": ("no key", "form-jceks", "truststore", "JCEKS", "trustpass"),
    "pkcs12 trust": ("no key", "form-default", "truststore", "PKCS#12", "trustpass"),
    "secret key": ("unsupported", "odd", "secret.jceks", "JCEKS", "keypass"),
    "two keys": ("several", "odd", "two-keys.p12", "PKCS#12", "keypass"),
    "alias": ("no such alias", "odd", "two-keys.p12", "PKCS#12", "keypass", None, "three"),
}


@pytest.mark.parametrize("case", TROUBLE)
def test_told_apart(stores, config, tmp_path, case):
    what, script, file, form, password, own, alias, share = (*TROUBLE[case], *[None] * 3)[:8]
    path = stores[script].folder / file
    if share:
        whole, path = path.read_bytes(), tmp_path / file
        path.write_bytes(whole[:int(len(whole) * share)])
    options = secrets_of(tmp_path, password, own)
    store = {"cert": path, "password_file": options[1], "alias": alias}
    if own:
        store["key_password_file"] = options[3]
    conf = tmp_path / "wrong.conf"
    conf.write_text(render(config("127.0.0.1:9", store=store)))
    line = findings.only_error(conf)
    assert [w for w in WORDS if says(w, line, path, form)] == [what], line
