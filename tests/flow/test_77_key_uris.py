"""Keys that stay in a PKCS#11 token: `key = pkcs11:…`, with SoftHSM."""

import concurrent.futures
import os
import pathlib
import re
import shutil
import signal

import pytest

from harness import client, gate as gate_module, tools
from harness.client import TLS12, TLS13
from harness.gate import render
from harness.origin import echo
from harness.soft_token import Token
from harness.waiting import until

pytestmark = pytest.mark.systems
ECDSA, RSA = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"


@pytest.fixture
def token(open_folder, certs):
    """With the keys of certs.server and certs.server_rsa, which are nowhere else where the
    program may look; pin: a file."""
    token = Token(open_folder)
    token.ec = token.put("ec", certs.server.key)
    token.rsa = token.put("rsa", certs.server_rsa.key)
    token.pin_file = open_folder / "pin"
    write_pin(token, token.pin)
    return token


def write_pin(token, pin):
    new = token.pin_file.with_suffix(".new")
    new.write_text(pin + "\n")
    new.chmod(0o600)
    new.rename(token.pin_file)


def store(token, certs, **more):
    return {"cert": [certs.server.cert, certs.server_rsa.cert], "key": [token.ec, token.rsa],
            "password_file": token.pin_file, **more}


@pytest.fixture
def served(gate, origin, token, certs):
    def start(workers=2, reload="signal", **route):
        return gate(origin(echo).address, proxy={"workers": workers, "reload": reload},
                    store=store(token, certs), env=token.env, **route)
    return start


def reload(proxy, good=True):
    proxy.signal(signal.SIGHUP)
    return proxy.await_message("^reload done" if good else "^reload failed")


@pytest.mark.parametrize("workers", [0, 2])
def test_both_keys_serve_both_versions(served, certs, workers):
    proxy = served(workers)
    for cipher in (ECDSA, RSA):
        assert client.outcome(proxy.address, certs, version=TLS12, ciphers=cipher) == "ok"
        assert proxy.await_access(reason="done")["suite"] == cipher
    for algorithm, kind in (("ecdsa_secp256r1_sha256", "(ECDSA|ecdsa_secp256r1_sha256)"),
                            ("rsa_pss_rsae_sha256", "(RSA-PSS|rsa_pss_rsae_sha256)")):
        said = tools.run("openssl", "s_client", "-connect", "%s:%d" % proxy.address, "-tls1_3",
                         "-sigalgs", algorithm, "-CAfile", certs.ca.cert, "-verify_return_error",
                         "-servername", "localhost", stdin="")
        assert re.search(f"Peer signature type: {kind}", said.stdout), said.stdout + said.stderr
        assert "Verify return code: 0 (ok)" in said.stdout
    assert reload(proxy)["generation"] == "2"
    assert client.outcome(proxy.address, certs) == "ok"


def test_clients_are_authenticated_beside_it(served, certs):
    proxy = served(client_auth="require")
    for version in (TLS12, TLS13):
        assert client.outcome(proxy.address, certs, version=version, client=certs.client) == "ok"
        assert proxy.await_access(reason="done")["identity"] == "cn:alice"
    assert client.outcome(proxy.address, certs, client=certs.client_other_ca) != "ok"


def test_many_at_once(served, certs):
    proxy = served()
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        outcomes = list(pool.map(lambda i: client.outcome(
            proxy.address, certs, version=(TLS12, TLS13)[i % 2]), range(200)))
    assert outcomes == ["ok"] * 200


def test_nobody_is_refused_while_it_reloads(served, certs):
    """Workers and loaders log in at the same time; SoftHSM's files are not made for that."""
    proxy = served(workers=8)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        outcomes = [pool.submit(client.outcome, proxy.address, certs) for _ in range(300)]
        for _ in range(8):
            reload(proxy)
        assert {o.result() for o in outcomes} == {"ok"}


def test_a_worker_that_dies_is_replaced_by_one_that_can_sign(served, certs):
    proxy = served(workers=1)
    victim, = proxy.workers()
    os.kill(victim, signal.SIGKILL)
    until("a new worker", lambda: proxy.workers() not in ([victim], [proxy.pid]))
    assert client.outcome(proxy.address, certs) == "ok"


def check(sections, token, tmp_path):
    path = tmp_path / "check.conf"
    path.write_text(render(sections))
    done = gate_module.run("check", "-c", path, env=gate_module.environment(**token.env))
    errors = [line for line in done.stderr.splitlines() + done.stdout.splitlines()
              if ": error:" in line]
    assert "Enter PIN" not in done.stdout + done.stderr
    return done.returncode, errors


@pytest.fixture
def refused(config, token, certs, tmp_path):
    """refused(key=…): the one error of `check`."""
    def ask(**more):
        ours = {**store(token, certs), **more}
        code, errors = check(config("127.0.0.1:1", store=ours), token, tmp_path)
        assert code == 1 and len(errors) == 1, errors
        return errors[0]
    return ask


def test_good_is_good(config, token, certs, tmp_path):
    assert check(config("127.0.0.1:1", store=store(token, certs)), token, tmp_path) == (0, [])
    by_id = store(token, certs, key=[token.uri("id=%01"), token.uri("id=%02;type=private")])
    assert check(config("127.0.0.1:1", store=by_id), token, tmp_path) == (0, [])


def test_what_is_wrong_is_told(refused, token, certs, open_folder):
    wrong = open_folder / "wrong"
    wrong.write_text("9999\n")
    wrong.chmod(0o600)
    assert "the PIN is wrong" in refused(password_file=wrong)
    assert "a PIN is needed (put it into a file: password_file" in refused(password_file=None)
    missing = token.uri("object=nobody")
    assert "no such private key" in refused(key=[token.rsa, missing])
    assert "no such private key" in refused(key=token.uri("object=ec", token="nobody"))
    line = refused(cert=certs.server_new.cert, key=token.ec)
    assert f'"{token.ec}": the private key in ' in line
    assert "(EC P-256) does not belong to the certificate" in line
    assert "by the scheme sesame: (" in refused(key="sesame:open")
    line = refused(key="pkcs11:token=gate;object=ec?module-path=/nowhere.so")
    assert "the key cannot be had: " in line and "module-path=FILE" in line
    line = refused(key=token.ec + "&pin-value=" + token.pin)
    assert "passwords never stand in the configuration" in line and token.pin not in line


def test_a_pin_is_not_waited_for(config, token, certs, open_folder, tmp_path):
    """Each attempt counts: tokens lock themselves."""
    wrong = open_folder / "wrong"
    wrong.write_text("9999\n")
    wrong.chmod(0o600)
    path = tmp_path / "wait.conf"
    path.write_text(render(config("127.0.0.1:1", store=store(
        token, certs, password_file=wrong, wait_files="1h"))))
    done = gate_module.run("serve", "-c", path, env=gate_module.environment(**token.env))
    assert done.returncode != 0
    assert (done.stdout + done.stderr).count("the PIN is wrong") == 1


def test_a_pin_that_changes_with_the_files(served, token, certs):
    proxy = served(reload="watch")
    write_pin(token, "9999")
    said = proxy.await_message("the PIN is wrong")
    assert "password_file" in said["message"]
    assert proxy.await_message("^reload failed")
    assert client.outcome(proxy.address, certs) == "ok"
    write_pin(token, token.pin)
    assert reload(proxy)["generation"] == "2"
    assert client.outcome(proxy.address, certs) == "ok"


def test_a_certificate_is_renewed_over_the_same_key(gate, origin, token, certs, tmp_path):
    ours = tmp_path / "tls.crt"
    shutil.copy(certs.server.cert, ours)
    proxy = gate(origin(echo).address, proxy={"workers": 1, "reload": "signal"}, env=token.env,
                 store=store(token, certs, cert=ours, key=[token.ec]))
    new = certs.issue("renewed", "localhost", usage="serverAuth", names="DNS:localhost")
    renewed = token.put("renewed", new.key)
    shutil.copy(new.cert, ours)
    assert reload(proxy, good=False)
    proxy.path.write_text(proxy.path.read_text().replace(token.ec, renewed))
    assert reload(proxy)
    with client.connect(proxy.address, certs) as tls:
        assert tls.getpeercert()["serialNumber"] == new.serial


def test_a_token_that_is_gone_keeps_a_reload_from_happening(served, token, certs):
    proxy = served()
    with client.Careful(proxy.address, certs).handshake() as live:
        token.take_away()
        reload(proxy, good=False)
        wrong = [r for r in proxy.records
                 if r["level"] == "error" and "[store node]" in r["message"]]
        assert len(wrong) == 1, wrong
        assert f'key = "{token.ec}"' in wrong[0]["message"]
        live.send(b"as before")
        assert live.receive(9) == b"as before"
        if (how := client.outcome(proxy.address, certs)) != "ok":
            # SoftHSM looks into its files at each signature.
            assert how == "TLSV1_ALERT_INTERNAL_ERROR"
            failed = proxy.await_access(reason="handshake-failed")
            assert (failed["cause"], failed["side"]) == ("token-failed", "us")
        live.end()
        assert live.recv() == b""
    token.bring_back()


@pytest.mark.skipif(os.geteuid() != 0, reason="workers change their user when root starts them")
def test_workers_that_may_not_use_the_token(config, origin, token, certs, tmp_path):
    for path in [token.files, *token.files.rglob("*")]:
        shutil.chown(path, "root")
        path.chmod(0o700 if path.is_dir() else 0o600)
    path = tmp_path / "gate.conf"
    path.write_text(render(config(origin(echo).address, store=store(token, certs))))
    done = gate_module.run("serve", "-c", path, env=gate_module.environment(**token.env))
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert re.search(r"worker 0: .*\[store node\] key: .*the user of \[proxy\] user", said), said


def test_the_key_is_nowhere_and_the_pin_is_not_told(served, token, certs):
    """What the program hands on is the way to the key; `dump` shows the URI as it stands."""
    proxy = served()
    done = gate_module.run("dump", "-c", proxy.path)
    assert f"key = {token.ec}" in done.stdout
    for pid in [proxy.pid, *proxy.workers()]:
        line = pathlib.Path(f"/proc/{pid}/cmdline").read_text()
        assert token.pin not in line.split("\0")
    assert client.outcome(proxy.address, certs) == "ok"
    assert not any(re.search(rf"\b{token.pin}\b", line) for line in proxy.errors)
