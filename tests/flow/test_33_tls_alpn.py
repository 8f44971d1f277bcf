"""ALPN: our order decides, none is fine, and nothing in common is refused."""

import pytest

from harness import client
from harness.origin import echo


@pytest.mark.parametrize("version", client.VERSIONS, ids=client.version_id)
@pytest.mark.parametrize("ours, theirs, agreed", [
    ("h2, http/1.1", ["http/1.1", "h2"], "h2"),
    ("http/1.1, h2", ["h2", "http/1.1"], "http/1.1"),
    ("h2, http/1.1", ["spdy/1", "http/1.1"], "http/1.1"),
    ("h2", None, None),
    (None, ["h2"], None),
])
def test_alpn(gate, origin, certs, version, ours, theirs, agreed):
    proxy = gate(origin(echo).address, alpn=ours)
    with client.Careful(proxy.address, certs, version=version, alpn=theirs).handshake() as c:
        assert c.tls.selected_alpn_protocol() == agreed
        c.send(b"ping")
        assert c.receive(4) == b"ping"
        c.end()
        assert c.recv() == b""
    assert proxy.await_access(reason="done").get("alpn") == agreed


@pytest.mark.parametrize("version", client.VERSIONS, ids=client.version_id)
def test_nothing_in_common(gate, origin, certs, version):
    app = origin()
    proxy = gate(app.address, alpn="h2")
    assert client.outcome(proxy.address, certs, version=version, alpn=["http/1.1"]) \
        == "TLSV1_ALERT_NO_APPLICATION_PROTOCOL"
    line = proxy.await_access(reason="handshake-failed")
    assert line["cause"] == "no-shared-alpn"
    assert line["side"] == "client"
    assert app.nobody_came()
