"""A client whose bytes are cut in two at every place, and one that sends single bytes."""

import pytest

from harness import client, procfs
from harness.origin import echo
from harness.waiting import until

TEXT = b"a record that may be cut anywhere"


def taken(c):
    """Wait until the proxy has read what was sent so far, so that the cut is real."""
    until("the proxy reads the first part",
          lambda: procfs.unread(c.sock.getpeername(), c.sock.getsockname()) == 0)


def talk(proxy, certs, version, mutual, **how):
    """A whole connection; how many bytes the client sent."""
    c = client.Careful(proxy.address, certs, version=version,
                       client=certs.client if mutual else None, **how)
    c.handshake()
    c.send(TEXT)
    c.send(TEXT)
    assert c.receive(2 * len(TEXT)) == 2 * TEXT
    c.end()
    assert c.recv() == b""
    c.close()
    return c.sent


@pytest.mark.parametrize("version, mutual", [
    (client.TLS12, False), (client.TLS13, False), (client.TLS13, True)],
    ids=["TLSv1_2", "TLSv1_3", "TLSv1_3-mutual"])
def test_cut_at_every_byte(gate, origin, certs, version, mutual):
    proxy = gate(origin(echo).address, client_auth="require" if mutual else "none")
    total = talk(proxy, certs, version, mutual)
    for k in range(1, total):
        talk(proxy, certs, version, mutual, cut_at=k, before_cut=taken)
    for _ in range(total):
        proxy.await_access(reason="done", bytes_in=2 * len(TEXT), bytes_out=2 * len(TEXT))


@pytest.mark.parametrize("version", client.VERSIONS, ids=client.version_id)
def test_single_bytes(gate, origin, certs, version):
    proxy = gate(origin(echo).address)
    total = talk(proxy, certs, version, False)

    with client.Careful(proxy.address, certs, version=version) as c:
        def next_byte(c):
            taken(c)
            c.cut_at += 1

        c.cut_at, c.before_cut = 1, next_byte
        c.handshake()
        c.send(TEXT)
        assert c.receive(len(TEXT)) == TEXT
        c.end()
        assert c.recv() == b""
        assert c.sent > total / 2
    proxy.await_access(reason="done", bytes_in=len(TEXT))
