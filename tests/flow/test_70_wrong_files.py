"""Every way a certificate file can be wrong: one precise error, exit 1, nothing served."""

import os
import pathlib
import re
import shutil

import pytest

from harness import certs as certs_module
from harness import findings, gate
from harness.gate import render

DIRECTORY, MISSING = "/", "nowhere.pem"


def der(certs):
    path = certs.dir / "server.der"
    certs_module.openssl("x509", "-in", certs.server.cert, "-outform", "DER", "-out", path)
    return path


def cut(certs, source, name):
    text = pathlib.Path(source).read_text()
    return certs.file(name, text[:len(text) // 2])


def empty(certs):
    return certs.file("empty.pem", "")


def text(certs):
    return certs.file("text.pem", "this is no certificate\n")


def zeros(certs):
    return certs.file("zeros.pem", bytes(2000))


# What is set, and what the error names: the key, the file, and words that say what is wrong.
CASES = {
    "cert missing": (lambda c: {"cert": MISSING}, "cert", MISSING, r"no such file"),
    "cert is a folder": (lambda c: {"cert": DIRECTORY}, "cert", DIRECTORY, r"directory|regular"),
    "cert empty": (lambda c: {"cert": empty(c)}, "cert", "empty.pem", r"empty"),
    "cert is text": (lambda c: {"cert": text(c)}, "cert", "text.pem", r"text|PEM|certificate"),
    "cert is zeros": (lambda c: {"cert": zeros(c)}, "cert", "zeros.pem", r"PEM|certificate"),
    "cert cut off": (lambda c: {"cert": cut(c, c.server.cert, "cut.crt")}, "cert", "cut.crt",
                     r"damaged|END|cut|incomplete"),
    "cert is a key": (lambda c: {"cert": c.server.key}, "cert", "server.key", r"certificate"),
    "cert is a request": (lambda c: {"cert": c.server.cert.with_suffix(".csr")}, "cert",
                          "server.csr", r"request"),
    "key missing": (lambda c: {"key": MISSING}, "key", MISSING, r"no such file"),
    "key empty": (lambda c: {"key": empty(c)}, "key", "empty.pem", r"empty"),
    "key is text": (lambda c: {"key": text(c)}, "key", "text.pem", r"text|PEM|key"),
    "key is a certificate": (lambda c: {"key": c.client.cert}, "key", "alice.crt", r"key"),
    "key cut off": (lambda c: {"key": cut(c, c.server.key, "cut.key")}, "key", "cut.key",
                    r"damaged|END|cut|incomplete"),
    "key of another certificate": (lambda c: {"key": c.client.key}, "key", "alice.key",
                                   r"match|belong|made for|not the key"),
    "key nowhere": (lambda c: {"key": None}, "cert", "server.crt", r"key"),
    "certificate expired": (lambda c: {"cert": c.server_expired.cert, "key": c.server_expired.key},
                            "cert", "server-expired.crt", r"expired"),
    "key encrypted": (lambda c: {"key": c.server_encrypted.key}, "key", "server-encrypted.key",
                      r"password"),
    "wrong password": (lambda c: {"key": c.server_encrypted.key,
                                  "password_file": c.wrong_password_file},
                       None, "password-wrong|server-encrypted.key", r"password"),
    "password file missing": (lambda c: {"key": c.server_encrypted.key, "password_file": MISSING},
                              "password_file", MISSING, r"no such file"),
    "password variable unset": (lambda c: {"key": c.server_encrypted.key,
                                           "password_file": "env:NO_SUCH_VARIABLE"},
                                "password_file", "NO_SUCH_VARIABLE", r"environment|set"),
}
TRUST_CASES = {
    "ca missing": (lambda c: MISSING, MISSING, r"no such file"),
    "ca empty": (empty, "empty.pem", r"empty"),
    "ca is text": (text, "text.pem", r"text|PEM|certificate"),
    "ca is a key": (lambda c: c.ca.key, "ca.key", r"certificate"),
    "ca is no CA": (lambda c: c.client.cert, "alice.crt", r"not a CA"),
}


def only_error(tmp_path, sections):
    path = tmp_path / "wrong.conf"
    path.write_text(render(sections))
    line = findings.only_error(path)
    assert line.startswith(f"{path}:"), line
    return line


def expect(line, section, key, name, words):
    assert f"[{section}]" in line, line
    assert key is None or re.search(rf"\] {key}\b", line), line
    assert re.search(name.replace(".", r"\."), line), line
    assert re.search(words, line), line


@pytest.mark.parametrize("case", CASES)
def test_wrong_store(config, certs, tmp_path, case):
    change, key, name, words = CASES[case]
    store = {"cert": certs.server.cert, "key": certs.server.key, **change(certs)}
    line = only_error(tmp_path, config("127.0.0.1:9", store=store))
    expect(line, "store node", key, name, words)


@pytest.mark.parametrize("case", TRUST_CASES)
def test_wrong_trust(config, certs, tmp_path, case):
    change, name, words = TRUST_CASES[case]
    sections = config("127.0.0.1:9", client_auth="require")
    sections["trust clients"]["ca"] = change(certs)
    expect(only_error(tmp_path, sections), "trust clients", "ca", name, words)


@pytest.mark.parametrize("key", ["cert", "key"])
def test_unreadable(config, certs, open_folder, key):
    """Root reads everything: so it is asked for by somebody else."""
    program = shutil.copy(gate.SALLYPORT, open_folder / "sallyport")
    store = {k: shutil.copy(getattr(certs.server, k), open_folder / k) for k in ("cert", "key")}
    for path in store.values():
        os.chmod(path, 0o644)
    os.chmod(store[key], 0)
    conf = open_folder / "wrong.conf"
    conf.write_text(render(config("127.0.0.1:9", store=store)))
    os.chmod(conf, 0o644)
    line = findings.only_error(conf, program=program, **findings.as_nobody())
    expect(line, "store node", key, str(store[key]), "permission denied")


def test_all_wrong_files_are_told_at_once(config, certs, tmp_path):
    sections = config("127.0.0.1:9", client_auth="require",
                      store={"cert": MISSING, "key": "also-" + MISSING})
    sections["trust clients"]["ca"] = empty(certs)
    path = tmp_path / "wrong.conf"
    path.write_text(render(sections))
    lines = findings.judge(path)
    assert len(lines) == 3, lines


GOOD = {
    "PEM": lambda c: {},
    "DER": lambda c: {"cert": der(c)},
    "key in the certificate's file": lambda c: {
        "cert": c.file("both.pem", c.server.key.read_text() + c.server.cert.read_text()),
        "key": None},
    "encrypted key": lambda c: {"key": c.server_encrypted.key, "password_file": c.password_file},
    "expired, and served on purpose": lambda c: {
        "cert": c.server_expired.cert, "key": c.server_expired.key, "expired": "serve"},
}


@pytest.mark.parametrize("case", GOOD)
def test_right_files(config, certs, tmp_path, case):
    path = tmp_path / "right.conf"
    store = {"cert": certs.server.cert, "key": certs.server.key, **GOOD[case](certs)}
    path.write_text(render(config("127.0.0.1:9", store=store)))
    done = gate.run("check", "-c", path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "error: " not in done.stdout + done.stderr
