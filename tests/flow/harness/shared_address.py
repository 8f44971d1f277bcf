"""What stands behind and before the example of doc/shared-address.md: its configuration is the
one that runs, with the addresses and files of a test."""

import itertools
import pathlib
import re

from .java_clients import PASSWORD, keystore
from .jobs import Failed
from .origin import receive
from .waiting import PATIENCE, until

DOC = pathlib.Path(__file__).parents[3] / "doc" / "shared-address.md"
NAMES = SEGMENTS, CONTROLLER, WEB, LEDGER = (
    "segments.example.com", "controller.example.com", "www.example.com", "ledger.example.com")


class Frames:
    """A service of frames with their length before them, as Pravega's and Cassandra's are. It
    answers each with its name before it, and remembers whom it heard."""

    def __init__(self, origin, name):
        self.name, self.heard, self.connections = name.encode(), set(), 0
        self.address = origin(self.serve).address

    def serve(self, conn):
        self.connections += 1
        conn.settimeout(3 * PATIENCE)       # its clients wait for each other
        while first := conn.recv(1):
            said = receive(conn, int.from_bytes(first + receive(conn, 3), "big"))
            self.heard.add(said.rstrip(b"\0").decode())
            answer = self.name + b"|" + said
            conn.sendall(len(answer).to_bytes(4, "big") + answer)


def documented():
    """The text of the example, and the upstreams that it names: {route: address}."""
    text, = re.findall(r"^```ini\n(.*?)^```\n", DOC.read_text(), re.M | re.S)
    return text, dict(re.findall(r"^\[route (\S+)\][^[]*?^upstream = (\S+)", text, re.M))


def configuration(services):
    """The example, listening on a free port, with these services: {route: address}."""
    text, upstreams = documented()
    assert set(services) == {r for r, u in upstreams.items() if u != "builtin:page"}
    listen = "listen = 192.0.2.10:8443\n"
    assert text.count(listen) == len(upstreams)
    text = text.replace(listen, "listen = 127.0.0.1:0\n")
    for route, address in services.items():
        before = f"upstream = {upstreams[route]}\n"
        assert text.count(before) == 1
        text = text.replace(before, f"upstream = {address}\n")
    return "[proxy]\ndrain_timeout = 5s\n\n" + text


class Identity:
    """The files that the example names, in `folder`."""

    def __init__(self, folder, certs):
        self.folder = folder
        self._put("ca.crt", certs.ca.cert.read_bytes())
        self._put("keystore-password", PASSWORD.encode())

    def _put(self, name, content):
        """It appears whole."""
        new = self.folder / f"{name}.new"
        new.write_bytes(content)
        new.chmod(0o600)
        new.rename(self.folder / name)

    def show(self, node, pravega):
        made = keystore(self.folder / "made.p12", pravega).read_bytes()
        self._put("node.key", node.key.read_bytes())
        self._put("node.crt", node.cert.read_bytes())
        self._put("server.keystore.jks", made)


class Address:
    """The gate with its services, and how one comes there."""

    numbers = itertools.count(1)

    def __init__(self, gate, frames, rpc_services, identity):
        self.gate, self.frames, self.rpc_services = gate, frames, rpc_services
        self.identity, self.port = identity, gate.address[1]

    @classmethod
    def unique(cls, word):
        """The processes of the clients live longer than one gate."""
        return f"{word}-{next(cls.numbers)}"

    def open(self, java, host, context="trusting", tls=None):
        """A connection of Java's, and the serial number of the certificate it saw."""
        name = self.unique("connection")
        shown = java.do("open", connection=name, context=context, host=host, port=self.port,
                        tls=tls)
        return name, int(shown["serial"], 16)

    def refuse_java(self, java, host, tls):
        """In TLS 1.3 a client learns with its first read that it was to show a certificate."""
        try:
            connection, _ = self.open(java, host, tls=tls)
        except Failed:
            return
        java.refusal("talk", connection=connection, text="refused")
        java.do("close", connection=connection)

    def unary_of_java(self, java, name, text, context="trusting"):
        return java.do("grpc", context=context, text=text,
                       url=f"https://{name}:{self.port}/shared.Echo/Unary")

    def channel(self, rpc, name, pair=None):
        made = self.unique("channel")
        rpc.do("channel", channel=made, port=self.port, name=name, ca=rpc.ca,
               cert=pair and pair.cert, key=pair and pair.key)
        return made

    def refuse_grpc(self, rpc, name, pair=None):
        channel = self.channel(rpc, name, pair)
        why = rpc.refusal("unary", channel=channel, text="refused")
        rpc.do("close", channel=channel)
        assert "UNAVAILABLE" in why, why
        return why

    def lines(self):
        return [r for r in self.gate.records if "reason" in r]

    def await_lines(self, count, java):
        """Java's connections of HTTP/2 end when their client is collected."""
        def there():
            java.do("collect")
            return len(self.lines()) >= count

        until(f"{count} connections have ended", there)
