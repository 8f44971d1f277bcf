"""Passwords: the loader reads them, and is gone; who serves strangers never had them."""

import os
import secrets
import signal
import subprocess

import jks
import pytest

from harness import client, gate, procfs
from harness.certs import openssl
from harness.gate import render
from harness.origin import echo

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="the memory of another user's process"),
    pytest.mark.skipif(gate.is_sanitized(), reason="a sanitizer keeps what is freed"),
]


def pem(pair, folder, password):
    key = folder / "closed.key"
    openssl("pkcs8", "-topk8", "-in", pair.key, "-out", key, "-v2", "aes-256-cbc",
            "-passout", f"pass:{password}")
    return {"cert": pair.cert, "key": key}


def old_pem(pair, folder, password):
    key = folder / "closed.key"
    openssl("ec", "-in", pair.key, "-aes256", "-out", key, "-passout", f"pass:{password}")
    return {"cert": pair.cert, "key": key}


def pkcs12(pair, folder, password):
    path = folder / "closed.p12"
    openssl("pkcs12", "-export", "-in", pair.cert, "-inkey", pair.key, "-out", path,
            "-passout", f"pass:{password}")
    return {"cert": path}


def java(pair, folder, password):
    def der(*args):
        return subprocess.run(["openssl", *args, "-outform", "DER"], check=True,
                              capture_output=True).stdout

    key = der("pkcs8", "-topk8", "-nocrypt", "-in", pair.key)
    cert = der("x509", "-in", pair.cert)
    entry = jks.PrivateKeyEntry.new("server", [cert], key, "pkcs8")
    path = folder / "closed.jks"
    jks.KeyStore.new("jks", [entry]).save(str(path), password)
    return {"cert": path}


def by_file(password, folder):
    path = folder / "password"
    path.write_text(password)
    path.chmod(0o600)
    return str(path), {}


def by_variable(password, _folder):
    return "env:STORE_PASSWORD", {"env": {"STORE_PASSWORD": password}}


def by_pipe(password, _folder):
    reader, writer = os.pipe()
    os.write(writer, password.encode())
    os.close(writer)
    return f"fd:{reader}", {"pass_fds": (reader,)}


def spellings(text):
    return {text.encode(code) for code in ("ascii", "utf-16-be", "utf-16-le")}


@pytest.mark.parametrize("deliver", [by_file, by_variable, by_pipe])
@pytest.mark.parametrize("make", [pem, old_pem, pkcs12, java])
def test_no_password_is_left(sallyport, origin, certs, tmp_path, open_folder, make, deliver):
    password, mark = secrets.token_hex(16), secrets.token_hex(16)
    spec, how = deliver(password, tmp_path)
    sections = {
        "proxy": {"workers": 1, "reload": "signal", "admin": f"unix:{open_folder}/{mark}"},
        "store closed": {**make(certs.server, tmp_path, password), "password_file": spec},
        "route main": {"mode": "terminate", "listen": "127.0.0.1:0", "store": "closed",
                       "upstream": origin(echo).address}}
    proxy = sallyport(render(sections), **how)
    for fd in how.get("pass_fds", ()):
        os.close(fd)
    assert client.outcome(proxy.address, certs) == "ok"
    proxy.signal(signal.SIGHUP)
    proxy.await_message("^reload done")
    assert client.outcome(proxy.address, certs) == "ok"

    monitor = proxy.monitor()
    assert len(procfs.children(proxy.pid)) == 2, "a worker and the monitor"
    for pid in procfs.children(proxy.pid):
        who = procfs.name(pid)
        assert procfs.memory_has(pid, spellings(password)) == set(), who
        if pid != monitor:
            assert procfs.memory_has(pid, [mark.encode()]), "what is there is found"
    # The master has its environment, which the next loader needs, and no more.
    there = {password.encode()} if deliver is by_variable else set()
    assert procfs.memory_has(proxy.pid, spellings(password)) == there
