"""Where it listens and where it goes: IPv4, IPv6, Unix sockets."""

import socket

import pytest

from harness import client
from harness.origin import echo


def round_trip(address, certs, **how):
    with client.Careful(address, certs, **how).handshake() as c:
        c.send(b"there and back")
        assert c.receive(14) == b"there and back"
        c.end()
        assert c.recv() == b""


def test_unix_upstream(gate, origin, certs, open_folder):
    app = origin(echo, path=open_folder / "app.sock")
    proxy = gate(app.address)
    round_trip(proxy.address, certs)
    assert proxy.await_access(reason="done")["upstream"] == app.address


def test_ipv6_listener(gate, origin, certs):
    proxy = gate(origin(echo).address, listen="[::1]:0")
    assert proxy.address[0] == "::1"
    round_trip(proxy.address, certs)
    assert proxy.await_access(reason="done")["client"].startswith("[::1]:")


def test_several_listeners_on_one_route(gate, origin, certs):
    proxy = gate(origin(echo).address, listen=["127.0.0.1:0", "127.0.0.2:0", "[::1]:0"],
                 listeners=3)
    assert sorted(host for host, _ in proxy.listeners) == ["127.0.0.1", "127.0.0.2", "::1"]
    for address in proxy.listeners:
        round_trip(address, certs)


def test_unix_listener_comes_and_goes(gate, origin, certs, open_folder):
    path = open_folder / "gate.sock"
    proxy = gate(origin(echo).address, listen=f"unix:{path}")
    assert proxy.address == str(path)
    round_trip(proxy.address, certs)
    proxy.close()
    assert not path.exists(), "a clean exit leaves no socket behind"


def test_stale_unix_listener_is_replaced(gate, origin, certs, open_folder):
    path = open_folder / "gate.sock"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    proxy = gate(origin(echo).address, listen=f"unix:{path}")
    round_trip(proxy.address, certs)


@pytest.mark.parametrize("client_name", ["localhost", None])
def test_clients_without_sni_are_served(gate, origin, certs, client_name):
    proxy = gate(origin(echo).address)
    round_trip(proxy.address, certs, name=client_name, check=False)
    assert proxy.await_access(reason="done").get("sni") == client_name
