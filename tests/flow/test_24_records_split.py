"""A client whose bytes are cut in two at every place, and one that sends single bytes."""

import pytest

from harness import client, procfs
from harness.origin import echo
from harness.waiting import until

TEXT = b"a record that may be cut anywhere"


def taken(proxy):
    """before_cut: wait until the proxy has read what was sent so far, so that the cut is real."""
    def wait(c):
        client_end = c.sock.getsockname()       # the other end's name is gone with the connection
        until("the proxy reads the first part",
              lambda: procfs.unread(proxy.address, client_end) == 0)
    return wait


def talk(proxy, certs, version, mutual, **how):
    """A whole connection; how many bytes the client sent."""
    with client.Careful(proxy.address, certs, version=version,
                        client=certs.client if mutual else None, **how) as c:
        c.handshake()
        c.send(TEXT)
        c.send(TEXT)
        assert c.receive(2 * len(TEXT)) == 2 * TEXT
        c.end()
        assert c.recv() == b""
        return c.sent


@pytest.mark.parametrize("mutual", [False, True], ids=["", "mutual"])
@pytest.mark.parametrize("version", client.VERSIONS, ids=client.version_id)
def test_cut_at_every_byte(gate, origin, certs, version, mutual):
    proxy = gate(origin(echo).address, client_auth="require" if mutual else "none")
    total = talk(proxy, certs, version, mutual)
    for k in range(1, total):
        talk(proxy, certs, version, mutual, cut_at=k, before_cut=taken(proxy))
    for _ in range(total):
        proxy.await_access(reason="done", bytes_in=2 * len(TEXT), bytes_out=2 * len(TEXT))


@pytest.mark.parametrize("version", client.VERSIONS, ids=client.version_id)
def test_single_bytes(gate, origin, certs, version):
    # Two thousand waits before the handshake is done (ML-KEM's share alone has 1216 bytes).
    proxy = gate(origin(echo).address, handshake_timeout="2m")
    total = talk(proxy, certs, version, False)

    with client.Careful(proxy.address, certs, version=version) as c:
        wait = taken(proxy)

        def next_byte(c):
            wait(c)
            c.cut_at += 1

        c.cut_at, c.before_cut = 1, next_byte
        c.handshake()
        c.send(TEXT)
        assert c.receive(len(TEXT)) == TEXT
        c.end()
        assert c.recv() == b""
        assert c.sent > total / 2
    proxy.await_access(reason="done", bytes_in=len(TEXT))
