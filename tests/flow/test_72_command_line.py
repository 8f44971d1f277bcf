"""Without a file: from flags, and from the environment. And what dump says of it."""

import os
import pwd

import pytest

from harness import client, gate
from harness.gate import Gate
from harness.origin import echo


def test_flags(origin, certs):
    proxy = Gate(["serve", "--listen", "127.0.0.1:0", "--upstream", origin(echo).address,
                  "--cert", certs.server.cert, "--key", certs.server.key, "--ca", certs.ca.cert,
                  "--alpn", "h2", "--workers", "1", "--log-format", "json"])
    try:
        assert client.outcome(proxy.address, certs) == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
        assert client.outcome(proxy.address, certs, client=certs.client, alpn=["h2"]) == "ok"
        line = proxy.await_access(reason="done")
        assert (line["alpn"], line["identity"]) == ("h2", "cn:alice")
        assert all(s.startswith("{") for s in proxy.output)
    finally:
        proxy.close()


def test_flags_by_their_other_names(origin, certs):
    proxy = Gate(["serve", "--listen", "127.0.0.1:0", "--upstream", origin(echo).address,
                  "--tls-cert", certs.server.cert, "--tls-key", certs.server.key,
                  "--tls-ca-file", certs.ca.cert, "--workers=1"])
    try:
        assert client.outcome(proxy.address, certs, client=certs.client) == "ok"
    finally:
        proxy.close()


def test_environment(origin, certs):
    proxy = Gate(["serve"], env={
        "SALLYPORT_LISTEN": "127.0.0.1:0", "SALLYPORT_UPSTREAM": origin(echo).address,
        "SALLYPORT_CERT": str(certs.server.cert), "SALLYPORT_KEY": str(certs.server.key),
        "SALLYPORT_WORKERS": "1"})
    try:
        assert client.outcome(proxy.address, certs) == "ok"
    finally:
        proxy.close()


def test_a_flag_wins_over_environment_and_file(config, certs, tmp_path):
    path = tmp_path / "sallyport.conf"
    path.write_text(gate.render(config("127.0.0.1:9", proxy={"workers": 1, "log_level": "warn"})))
    env = gate.environment(SALLYPORT_WORKERS="2", SALLYPORT_LOG_LEVEL="error")
    done = gate.run("dump", "-c", path, "--workers", "3", env=env)
    assert done.returncode == 0, done.stderr
    settings = {k.strip(): v for k, _, v in (s.partition(" = ") for s in done.stdout.splitlines())}
    assert settings["workers"].split()[0] == "3" and "command line" in settings["workers"]
    assert settings["log_level"].split()[0] == "error" and "environment" in settings["log_level"]
    assert settings["drain_timeout"].split()[0] == "5s" and str(path) in settings["drain_timeout"]


def test_dump_is_a_configuration(config, certs, tmp_path):
    first, second = tmp_path / "one.conf", tmp_path / "two.conf"
    me = pwd.getpwuid(os.getuid()).pw_name      # written out, it must exist
    first.write_text(gate.render(config("127.0.0.1:9", alpn="h2", client_auth="require",
                                        proxy={"user": me})))
    once = gate.run("dump", "-c", first).stdout
    second.write_text(once)
    again = gate.run("dump", "-c", second)
    assert again.returncode == 0, again.stderr

    def bare(text):
        lines = (s.partition(";")[0].strip() for s in text.splitlines())
        return [s for s in lines if s]
    assert bare(again.stdout) == bare(once)
    assert gate.run("check", "-c", second).returncode == 0


# What is wrong, and the words of the hint for who gave flags, and variables.
HINTS = {
    "no key": (lambda c: {"cert": c.server.cert}, "--key FILE", "SALLYPORT_KEY=FILE"),
    "an encrypted key": (lambda c: {"cert": c.server.cert, "key": c.server_encrypted.key},
                         "--password-file FILE", "SALLYPORT_PASSWORD_FILE=FILE"),
    "expired": (lambda c: {"cert": c.server_expired.cert, "key": c.server_expired.key},
                "--expired serve uses it", "SALLYPORT_EXPIRED=serve uses it"),
    "a key for a certificate": (lambda c: {"cert": c.server.key},
                                "the setting --key", "the setting SALLYPORT_KEY"),
    "no such user": (lambda c: {"cert": c.server.cert, "key": c.server.key,
                                "user": "nobody-has-this-name"},
                     "--user NAME", "SALLYPORT_USER=NAME"),
}


@pytest.mark.parametrize("verb", ["check", "serve"])
@pytest.mark.parametrize("case", HINTS)
def test_hints_name_what_was_given(certs, case, verb):
    if case == "no such user" and os.getuid() != 0:
        pytest.skip("only root changes the user")
    make, by_flag, by_variable = HINTS[case]
    given = {"listen": "127.0.0.1:0", "upstream": "127.0.0.1:9", **make(certs)}
    flags = [word for key, value in given.items() for word in (f"--{key}", value)]
    variables = {f"SALLYPORT_{key.upper()}": str(value) for key, value in given.items()}
    for words, done in ((by_flag, gate.run(verb, *flags)),
                        (by_variable, gate.run(verb, env=gate.environment(**variables)))):
        said = done.stdout + done.stderr
        assert done.returncode == 1 and words in said, said


def test_dump_speaks_of_flags(certs):
    done = gate.run("dump", "--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:9",
                    "--cert", certs.server.cert, "--key", "pkcs11:token=a?pin-value=1")
    assert "(put the PIN into a file: --password-file FILE)" in done.stderr, done.stderr


def test_an_expired_certificate_by_flag(certs):
    done = gate.run("check", "--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:9", "--cert",
                    certs.server_expired.cert, "--key", certs.server_expired.key,
                    "--expired", "serve")
    assert done.returncode == 0 and "warning: --cert" in done.stdout, done.stdout
