"""Protocol versions: 1.2 and 1.3 unless something else is written out."""

import ssl

import pytest

from harness import client
from harness.origin import echo

OLD = {"version": ssl.TLSVersion.TLSv1_1, "ciphers": "ALL:@SECLEVEL=0"}
OLDEST = {"version": ssl.TLSVersion.TLSv1, "ciphers": "ALL:@SECLEVEL=0"}


@pytest.mark.parametrize("old", [OLD, OLDEST], ids=["TLSv1_1", "TLSv1_0"])
def test_old_versions_are_refused_by_default(gate, origin, certs, old):
    app = origin()
    proxy = gate(app.address)
    assert client.outcome(proxy.address, certs, **old) == "TLSV1_ALERT_PROTOCOL_VERSION"
    line = proxy.await_access(reason="handshake-failed")
    assert line["cause"] == "no-shared-version"
    assert "1.2" in line["what"] and "1.3" in line["what"], "it says what we accept"
    assert app.nobody_came()


@pytest.mark.parametrize("ours, theirs, agreed", [
    ("TLSv1.2", client.TLS12, "TLSv1.2"),
    ("TLSv1.2", client.TLS13, None),
    ("TLSv1.2", None, "TLSv1.2"),
    ("TLSv1.3", client.TLS12, None),
    ("TLSv1.3", client.TLS13, "TLSv1.3"),
    ("TLSv1.2, TLSv1.3", None, "TLSv1.3"),
    ("TLSv1.2, TLSv1.3", client.TLS12, "TLSv1.2"),
])
def test_versions(gate, origin, certs, ours, theirs, agreed):
    proxy = gate(origin(echo).address, protocols=ours)
    got = client.outcome(proxy.address, certs, version=theirs)
    if agreed:
        assert got == "ok"
        assert proxy.await_access(reason="done")["tls"] == agreed
    else:
        assert got == "TLSV1_ALERT_PROTOCOL_VERSION"
        assert proxy.await_access(reason="handshake-failed")["cause"] == "no-shared-version"


def test_old_versions_can_be_written_out(gate, origin, certs):
    proxy = gate(origin(echo).address, protocols="TLSv1.1, TLSv1.2",
                 ciphers="ALL:!aNULL:@SECLEVEL=0")
    assert client.outcome(proxy.address, certs, **OLD) == "ok"
    assert proxy.await_access(reason="done")["tls"] == "TLSv1.1"
    assert client.outcome(proxy.address, certs, **OLDEST) == "TLSV1_ALERT_PROTOCOL_VERSION"
