"""Who may come in: client_auth none, request, require against one CA."""

import pytest

from harness import client
from harness.origin import echo

# The certificate: the alert its owner gets, and how the log calls the cause.
BAD = {
    "client_other_ca": ("TLSV1_ALERT_UNKNOWN_CA", "client-certificate-unknown-issuer"),
    "client_expired": ("SSLV3_ALERT_CERTIFICATE_EXPIRED", "client-certificate-expired"),
    "client_not_yet": ("SSLV3_ALERT_BAD_CERTIFICATE", "client-certificate-not-yet-valid"),
    "client_wrong_purpose": ("SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
                             "client-certificate-wrong-purpose"),
}
GOOD = {"client": "cn:alice", "client_uri": "uri:spiffe://prod/ns/web/sa/reader"}

VERSIONS = pytest.mark.parametrize("version", client.VERSIONS, ids=client.version_id)


@VERSIONS
@pytest.mark.parametrize("auth", ["request", "require"])
@pytest.mark.parametrize("who", GOOD)
def test_good_certificate(gate, origin, certs, version, auth, who):
    proxy = gate(origin(echo).address, client_auth=auth)
    assert client.outcome(proxy.address, certs, version=version,
                          client=getattr(certs, who)) == "ok"
    assert proxy.await_access(reason="done")["identity"] == GOOD[who]


@VERSIONS
@pytest.mark.parametrize("auth", ["request", "require"])
@pytest.mark.parametrize("who", BAD)
def test_bad_certificate(gate, origin, certs, version, auth, who):
    app = origin()
    proxy = gate(app.address, client_auth=auth)
    alert, cause = BAD[who]
    assert client.outcome(proxy.address, certs, version=version,
                          client=getattr(certs, who)) == alert
    line = proxy.await_access(reason="handshake-failed")
    assert line["cause"] == cause
    assert line["side"] == "client"
    assert line["level"] == "warn"
    assert app.nobody_came()


@VERSIONS
def test_no_certificate_where_one_is_required(gate, origin, certs, version):
    app = origin()
    proxy = gate(app.address, client_auth="require")
    alert = "TLSV13_ALERT_CERTIFICATE_REQUIRED" if version == client.TLS13 \
        else "SSLV3_ALERT_HANDSHAKE_FAILURE"
    assert client.outcome(proxy.address, certs, version=version) == alert
    line = proxy.await_access(reason="handshake-failed")
    assert line["cause"] == "no-client-certificate"
    assert line["side"] == "client"
    assert line["fix"]
    assert app.nobody_came()


@VERSIONS
def test_no_certificate_where_one_is_asked_for(gate, origin, certs, version):
    proxy = gate(origin(echo).address, client_auth="request")
    assert client.outcome(proxy.address, certs, version=version) == "ok"
    assert "identity" not in proxy.await_access(reason="done")


@VERSIONS
@pytest.mark.parametrize("who", ["client", "client_other_ca"])
def test_nobody_is_asked(gate, origin, certs, version, who):
    proxy = gate(origin(echo).address, client_auth="none")
    assert client.outcome(proxy.address, certs, version=version,
                          client=getattr(certs, who)) == "ok"
    assert "identity" not in proxy.await_access(reason="done")


def test_trust_alone_means_require(gate, origin, certs):
    proxy = gate(origin(echo).address, trust="clients")
    assert client.outcome(proxy.address, certs) == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    assert client.outcome(proxy.address, certs, client=certs.client) == "ok"
    assert proxy.await_access(reason="done")["identity"] == "cn:alice"


def test_a_refused_client_does_not_hurt_the_next(gate, origin, certs):
    """OpenSSL's error queue is one for all connections of a worker."""
    proxy = gate(origin(echo).address, client_auth="require")
    with client.Careful(proxy.address, certs, client=certs.client).handshake() as live:
        for who in [*BAD, None] * 5:
            bad = getattr(certs, who) if who else None
            assert client.outcome(proxy.address, certs, client=bad) != "ok"
            live.send(b"alive")
            assert live.receive(5) == b"alive"
            assert client.outcome(proxy.address, certs, client=certs.client) == "ok"
        live.end()
        assert live.recv() == b""
