"""Clients that people have: openssl, curl, gnutls."""

import pytest

from harness import tools
from harness.origin import echo, http_hello


@pytest.fixture
def echoing(gate, origin):
    return gate(origin(echo).address)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl(echoing, certs, version):
    heard, code = tools.converse(
        "openssl", "s_client", "-connect", "%s:%d" % echoing.address, version, "-quiet",
        "-CAfile", certs.ca.cert, "-verify_return_error", "-servername", "localhost",
        "-no_ign_eof", send=b"hello, gate\n", expect=b"hello, gate\n")
    assert code == 0 and "hello, gate\n" in heard
    assert echoing.await_access(bytes_in=12, bytes_out=12)["sni"] == "localhost"


@pytest.mark.parametrize("version", ["VERS-TLS1.2", "VERS-TLS1.3"])
def test_gnutls(echoing, certs, version):
    heard, code = tools.converse(
        "gnutls-cli", "--port", echoing.address[1], "--x509cafile", certs.ca.cert,
        "--sni-hostname", "localhost", "--verify-hostname", "localhost", "--priority",
        f"NORMAL:-VERS-ALL:+{version}", "--logfile", "/dev/null", echoing.address[0],
        send=b"hello, gate\n", expect=b"hello, gate\n")
    assert code == 0 and "hello, gate\n" in heard
    echoing.await_access(bytes_in=12, bytes_out=12)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_curl(gate, origin, certs, version):
    proxy = gate(origin(http_hello).address)
    done = tools.run("curl", "--silent", "--show-error", "--cacert", certs.ca.cert,
                     f"--tlsv{version}", "--tls-max", version, "--noproxy", "*",
                     "https://localhost:%d/some/where" % proxy.address[1])
    assert done.returncode == 0, done.stderr
    assert done.stdout == "you asked: GET /some/where HTTP/1.1\n"
    line = proxy.await_access(sni="localhost")
    assert line["reason"] in ("done", "client-cut")
