"""An ensemble of three ZooKeeper servers, each behind a proxy on its own host, as doc/systems.md
has it.

The servers tell each other of the addresses of their names, so an alias has to mean the same
thing on every host: the three are hosts with loopback networks of their own.
"""

import pathlib
import re
import socket
import threading

from . import gate, hosts, systems_doc
from .keytool import QUICK
from .processes import Process
from .tools import need
from .waiting import until

JARS = pathlib.Path("/usr/share/java")
# Debian's zookeeper.jar names others in its manifest, but not all that its client with TLS needs.
CLASSES = ":".join(str(JARS / f"{name}.jar") for name in (
    "zookeeper", "slf4j-simple", "netty-resolver", "netty-codec",
    "netty-transport-native-unix-common"))
BRIEF = "[proxy]\ndrain_timeout = 2s\n\n"
PATIENT = 90        # an election, or a server that is back, on a busy machine
NUMBERS = (1, 2, 3)


def java(*args, heap="128m"):
    return [need("java"), *QUICK.split(), f"-Xmx{heap}", "-cp", CLASSES, *args]


class Node:
    """One of the three: its host, what lies in its folder, its server and its proxy."""

    def __init__(self, number, folder, host):
        self.number, self.folder, self.host = number, folder, host
        self.public, self.inner = f"192.0.2.1{number}", f"127.0.1.{number}"
        self.server = self.gate = None
        folder.mkdir()
        (folder / "data").mkdir()
        (folder / "data" / "myid").write_text(f"{number}\n")
        ini, _ = systems_doc.blocks("ZooKeeper", "ini")
        names, = systems_doc.blocks("ZooKeeper", "hosts")
        zoo, = systems_doc.blocks("ZooKeeper", "properties")
        (folder / "hosts").write_text(names)
        (folder / "zoo.cfg").write_text(zoo)
        self.path = folder / "sallyport.conf"
        self.path.write_text(BRIEF + systems_doc.exchange(ini, self._places()))

    def _places(self):
        """The document has the first host; here its number and this one's change places."""
        def swap(n):
            return {1: self.number, self.number: 1}.get(n, n)

        return {f"{kind}{n}": f"{kind}{swap(n)}" for kind, numbers in (
            ("127.0.1.", NUMBERS), ("192.0.2.1", NUMBERS), ("quorum-", (2, 3)),
            ("election-", (2, 3))) for n in numbers}

    def show(self, certs, when):
        """The certificate of that time."""
        name = f"zk{self.number}"
        pair = certs.issue(f"{name}-{when}", name, usage="serverAuth,clientAuth",
                           names=f"DNS:{name}.example.com,IP:{self.public}")
        systems_doc.put(self.folder / "ca.crt", certs.ca.cert)
        systems_doc.put(self.folder / "zk.key", pair.key)
        systems_doc.put(self.folder / "zk.crt", pair.cert)

    def start_gate(self):
        with self.host.entered():
            self.gate = gate.Gate(["serve", "-c", self.path], listeners=7)
        return self.gate

    def start_server(self):
        settings = (f"-Dorg.slf4j.simpleLogger.{setting}" for setting in (
            "log.org.apache.zookeeper.server.NIOServerCnxn=warn", "showDateTime=true",
            "dateTimeFormat=HH:mm:ss.SSS"))
        with self.host.entered():
            self.server = Process(f"zk{self.number}", java(
                f"-Djdk.net.hosts.file={self.folder / 'hosts'}", *settings,
                "org.apache.zookeeper.server.quorum.QuorumPeerMain", "zoo.cfg"), self.folder)

    def mode(self):
        """"leader", "follower", or nothing while it serves nobody."""
        try:
            with self.host.entered(), \
                    socket.create_connection((self.inner, 2181), timeout=5) as sock:
                sock.sendall(b"srvr")
                said = b"".join(iter(lambda: sock.recv(4096), b"")).decode()
        except OSError:
            return None
        found = re.search(r"^Mode: (\w+)$", said, re.M)
        return found and found[1]

    def epoch(self):
        """It grows with every election."""
        return int((self.folder / "data" / "version-2" / "currentEpoch").read_text())

    def ended(self, *routes):
        """The access lines of these routes, so far."""
        return [r for r in self.gate.records if "reason" in r and r.get("route") in routes]


class Ensemble:
    def __init__(self, folder, certs):
        self.certs, self.gates, self.nodes = certs, [], []
        self.switch = hosts.Switch()
        try:
            self.nodes = [Node(n, folder / f"host{n}", self.switch.join(10 + n)) for n in NUMBERS]
            for node in self.nodes:
                node.show(certs, "now")
                self.start_gate(node)
            for node in self.nodes:
                node.start_server()
            self.await_quorum(self.nodes)
        except BaseException:
            self.close()
            raise

    def start_gate(self, node):
        self.gates.append(node.start_gate())

    def roles(self, nodes):
        """{number: (mode, epoch)} of those that serve."""
        modes = {h: h.mode() for h in nodes}
        return {h.number: (mode, h.epoch()) for h, mode in modes.items() if mode}

    def await_quorum(self, nodes):
        """All of these serve, under one leader. Their roles come back."""
        def there():
            assert all(h.server.process.poll() is None for h in nodes)
            roles = self.roles(nodes)
            modes = sorted(mode for mode, _ in roles.values())
            same = len({epoch for _, epoch in roles.values()}) == 1
            return same and modes == ["follower"] * (len(nodes) - 1) + ["leader"] and roles

        try:
            return until(f"a quorum of {[h.number for h in nodes]}", there, patience=PATIENT)
        except AssertionError as e:
            said = "\n".join(f"--- {h.server.log}\n{h.server.text()[-3000:]}" for h in nodes)
            raise AssertionError(f"{e}\n{said}") from None

    def leader(self):
        roles = self.await_quorum(self.nodes)
        return next(h for h in self.nodes if roles[h.number][0] == "leader")

    def close(self):
        """The servers first: then nothing is left for the proxies to wait for."""
        for node in self.nodes:
            if node.server:
                node.server.close()
        for one in self.gates:
            one.close()
        self.switch.close()


class Writer:
    """Writes one node after the other, until it is stopped, and knows which were acknowledged."""

    def __init__(self, client, root):
        self.client, self.root, self.acknowledged, self.lost = client, root, [], []
        client.create(root)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def _write(self):
        from kazoo.exceptions import KazooException, NodeExistsError
        from kazoo.handlers.threading import KazooTimeoutError
        number = 1
        while not self._stop.is_set():
            path = f"{self.root}/{number:06}"
            try:
                self.client.create_async(path, b"written").get(timeout=10)
            except NodeExistsError:
                pass        # it was written, and the answer was lost
            except (KazooException, KazooTimeoutError) as e:
                self.lost.append(repr(e))
                self._stop.wait(0.05)
                continue
            self.acknowledged.append(path)
            number += 1

    def await_writes(self, count):
        wanted = len(self.acknowledged) + count
        until(f"{count} more writes (lost: {self.lost[-3:]})",
              lambda: len(self.acknowledged) >= wanted, patience=PATIENT)

    def stop(self):
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()
        return [path.rsplit("/", 1)[1] for path in self.acknowledged]
