"""A client that is gone after byte k of its handshake, for every k, leaves nothing behind."""

import pytest

from harness import client
from harness.origin import echo

CASES = [(client.TLS12, False), (client.TLS13, False), (client.TLS13, True)]


def handshake_length(proxy, certs, **how):
    with client.Careful(proxy.address, certs, **how).handshake() as c:
        length = c.sent
        c.end()
        assert c.recv() == b""
        return length


@pytest.mark.parametrize("how", ["FIN", "RST"])
@pytest.mark.parametrize("version, mutual", CASES, ids=["TLSv1_2", "TLSv1_3", "TLSv1_3-mutual"])
def test_vanish_at_every_byte(gate, origin, certs, version, mutual, how):
    proxy = gate(origin(echo).address, client_auth="require" if mutual else "none")
    what = dict(version=version, client=certs.client if mutual else None)
    length = handshake_length(proxy, certs, **what)
    proxy.await_access(reason="done")
    base = proxy.fds()

    for k in range(length):
        c = client.Careful(proxy.address, certs, limit=k, **what)
        try:
            c.handshake()
            # An ECDSA signature may take a few bytes less than the first one took.
            assert mutual and k > length - 5, f"a handshake with {k} of {length} bytes"
        except client.Careful.Vanish:
            assert c.sent == k
        if how == "RST":
            c.reset()
        else:
            c.close()
    proxy.await_fds(base)
    handshake_length(proxy, certs, **what)
    proxy.await_access(reason="done")
    assert len(proxy.workers()) == 1 and not proxy.says("died|killed|signal")
