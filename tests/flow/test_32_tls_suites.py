"""Suites, groups, and which of two keys is shown."""

import re

import pytest

from harness import client, tools
from harness.origin import echo

ECDSA_256, ECDSA_CBC = "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA256"


def test_the_fast_suite_first(gate, origin, certs):
    proxy = gate(origin(echo).address)
    for version, suite in ((client.TLS12, "ECDHE-ECDSA-AES128-GCM-SHA256"),
                           (client.TLS13, "TLS_AES_128_GCM_SHA256")):
        assert client.outcome(proxy.address, certs, version=version) == "ok"
        assert proxy.await_access(reason="done")["suite"] == suite


@pytest.mark.parametrize("suites", [ECDSA_CBC, "ECDHE-ECDSA-AES128-SHA",
                                    "ECDHE-ECDSA-CAMELLIA128-SHA256", "AES128-GCM-SHA256"])
def test_weak_suites_are_off(gate, origin, certs, suites):
    app = origin()
    proxy = gate(app.address)
    assert client.outcome(proxy.address, certs, version=client.TLS12, ciphers=suites) \
        == "SSLV3_ALERT_HANDSHAKE_FAILURE"
    line = proxy.await_access(reason="handshake-failed")
    assert line["cause"] == "no-shared-suite"
    assert app.nobody_came()


def test_suites_can_be_chosen(gate, origin, certs):
    proxy = gate(origin(echo).address, ciphers=ECDSA_256,
                 ciphersuites="TLS_CHACHA20_POLY1305_SHA256")
    for version, suite in ((client.TLS12, ECDSA_256),
                           (client.TLS13, "TLS_CHACHA20_POLY1305_SHA256")):
        assert client.outcome(proxy.address, certs, version=version) == "ok"
        assert proxy.await_access(reason="done")["suite"] == suite


def s_client(proxy, certs, *args):
    """What openssl s_client prints, and its exit code."""
    return tools.converse("openssl", "s_client", "-connect", "%s:%d" % proxy.address,
                          "-CAfile", certs.ca.cert, "-verify_return_error", "-no_ign_eof", *args,
                          send=b"ping\n", expect=b"\nping\n")


def test_groups_can_be_chosen(gate, origin, certs):
    proxy = gate(origin(echo).address, groups="P-384")
    assert s_client(proxy, certs, "-groups", "X25519:P-384")[1] == 0
    assert proxy.await_access(bytes_in=5)["group"] == "secp384r1"
    assert s_client(proxy, certs, "-groups", "X25519")[1] != 0
    proxy.await_access(reason="handshake-failed", cause="no-shared-group", side="client")


def test_a_key_the_clients_suites_do_not_fit(gate, origin, certs):
    proxy = gate(origin(echo).address)
    assert client.outcome(proxy.address, certs, version=client.TLS12,
                          ciphers="ECDHE-RSA-AES128-GCM-SHA256") == "SSLV3_ALERT_HANDSHAKE_FAILURE"
    proxy.await_access(reason="handshake-failed", cause="no-shared-key-type", side="client")


@pytest.fixture
def two_keys(gate, origin, certs):
    return gate(origin(echo).address, store={
        "cert": [certs.server.cert, certs.server_rsa.cert],
        "key": [certs.server.key, certs.server_rsa.key]})


@pytest.mark.parametrize("how, kind", [
    (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"), "ECDSA"),
    (("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"), "RSA"),
    (("-tls1_3", "-sigalgs", "ECDSA+SHA256"), "ECDSA"),
    (("-tls1_3", "-sigalgs", "RSA-PSS+SHA256"), "RSA"),
    (("-tls1_2",), "ECDSA"),
    (("-tls1_3",), "ECDSA"),
])
def test_two_keys_for_one_name(two_keys, certs, how, kind):
    """The client's offer decides; where it takes both, the cheaper one is shown."""
    said, code = s_client(two_keys, certs, *how)
    assert code == 0, said
    # OpenSSL 3.0 writes "ECDSA" and "RSA-PSS" here, 3.5 "ecdsa_secp256r1_sha256".
    kinds = re.findall(r"Peer signature type: (ecdsa|rsa)", said, re.IGNORECASE)
    assert [k.upper() for k in kinds] == [kind]
    two_keys.await_access(bytes_in=5, bytes_out=5)
