"""An ensemble of three ZooKeeper servers, each behind a proxy of its own, as doc/systems.md has it.

Three hosts on one machine: each has a /24 of the loopback network for what is local to it (its
server, and the aliases of the others), and they share one for the addresses by which hosts reach
each other. A name leads each server to an address of its own host.
"""

import pathlib
import re
import socket
import threading

from . import gate, systems_doc
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


class Host:
    """One of the three: what lies in its folder, its server and its proxy."""

    def __init__(self, number, folder, public):
        self.number, self.public, self.folder = number, f"{public}.1{number}", folder
        self.loop = systems_doc.network()
        self.inner = f"{self.loop}.{number}"
        self.server = self.gate = None
        folder.mkdir()
        (folder / "data").mkdir()
        (folder / "data" / "myid").write_text(f"{number}\n")
        ini, _ = systems_doc.blocks("ZooKeeper", "ini")
        hosts, = systems_doc.blocks("ZooKeeper", "hosts")
        zoo, = systems_doc.blocks("ZooKeeper", "properties")
        local = {f"127.0.1.{n}": f"{self.loop}.{n}" for n in NUMBERS}
        (folder / "hosts").write_text(systems_doc.exchange(hosts, local))
        (folder / "zoo.cfg").write_text(zoo)
        self.path = folder / "sallyport.conf"
        self.path.write_text(BRIEF + systems_doc.exchange(ini, self._places(public)))

    def _places(self, public):
        """The document has the first host; here its number and this one's change places."""
        def swap(n):
            return {1: self.number, self.number: 1}.get(n, n)

        return {
            **{f"127.0.1.{n}": f"{self.loop}.{swap(n)}" for n in NUMBERS},
            **{f"192.0.2.1{n}": f"{public}.1{swap(n)}" for n in NUMBERS},
            **{f"{kind}-{n}": f"{kind}-{swap(n)}" for n in (2, 3)
               for kind in ("quorum", "election")}}

    def show(self, certs, when):
        """The certificate of that time."""
        pair = certs.issue(
            f"zk-{self.public}-{when}", f"zk{self.number}", usage="serverAuth,clientAuth",
            names=f"DNS:zk{self.number}.example.com,IP:{self.public}")
        systems_doc.put(self.folder / "ca.crt", certs.ca.cert)
        systems_doc.put(self.folder / "zk.key", pair.key)
        systems_doc.put(self.folder / "zk.crt", pair.cert)

    def start_gate(self):
        self.gate = gate.Gate(["serve", "-c", self.path], listeners=7)
        return self.gate

    def start_server(self):
        self.server = Process(f"zk{self.number}", java(
            f"-Djdk.net.hosts.file={self.folder / 'hosts'}",
            "-Dorg.slf4j.simpleLogger.log.org.apache.zookeeper.server.NIOServerCnxn=warn",
            "org.apache.zookeeper.server.quorum.QuorumPeerMain", "zoo.cfg"), self.folder)

    def mode(self):
        """"leader", "follower", or nothing while it serves nobody."""
        try:
            with socket.create_connection((self.inner, 2181), timeout=5) as sock:
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
        self.public, self.certs = systems_doc.network(), certs
        self.hosts = [Host(n, folder / f"host{n}", self.public) for n in NUMBERS]
        self.gates = []
        try:
            for host in self.hosts:
                host.show(certs, "now")
                self.start_gate(host)
            for host in self.hosts:
                host.start_server()
            self.await_quorum(self.hosts)
        except BaseException:
            self.close()
            raise

    def start_gate(self, host):
        self.gates.append(host.start_gate())

    def roles(self, hosts):
        """{number: (mode, epoch)} of those that serve."""
        modes = {h: h.mode() for h in hosts}
        return {h.number: (mode, h.epoch()) for h, mode in modes.items() if mode}

    def await_quorum(self, hosts):
        """All of these serve, under one leader. Their roles come back."""
        def there():
            assert all(h.server.process.poll() is None for h in hosts)
            roles = self.roles(hosts)
            modes = sorted(mode for mode, _ in roles.values())
            same = len({epoch for _, epoch in roles.values()}) == 1
            return same and modes == ["follower"] * (len(hosts) - 1) + ["leader"] and roles

        try:
            return until(f"a quorum of {[h.number for h in hosts]}", there, patience=PATIENT)
        except AssertionError as e:
            said = "\n".join(f"--- {h.server.log}\n{h.server.text()[-3000:]}" for h in hosts)
            raise AssertionError(f"{e}\n{said}") from None

    def leader(self):
        roles = self.await_quorum(self.hosts)
        return next(h for h in self.hosts if roles[h.number][0] == "leader")

    def here(self, text, **files):
        """A text of the document for clients, with the addresses of these hosts."""
        pairs = {**{f"192.0.2.1{n}": f"{self.public}.1{n}" for n in NUMBERS}, **files}
        return systems_doc.exchange(text, {k: v for k, v in pairs.items() if k in text})

    def close(self):
        """The servers first: then nothing is left for the proxies to wait for."""
        for host in self.hosts:
            if host.server:
                host.server.close()
        for one in self.gates:
            one.close()


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
