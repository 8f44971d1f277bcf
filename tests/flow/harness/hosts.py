"""Hosts on one machine: network namespaces with a loopback network of their own, joined by a
switch. Only root can make them, and not in every container."""

import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
import threading

from .waiting import until

_LIBC = ctypes.CDLL(None, use_errno=True)
_NEWNET = 0x40000000


def missing():
    """Why there can be none, or nothing."""
    if os.getuid() != 0:
        return "needs root, for network namespaces"
    if not shutil.which("ip"):
        return "not installed: iproute2"
    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        return "no network namespaces here"
    return None


def _sh(*words):
    subprocess.run([str(w) for w in words], check=True, timeout=20)


def _enter(fd):
    if _LIBC.setns(fd, _NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class Host:
    def __init__(self):
        self.keeper = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
        mine = os.readlink("/proc/self/ns/net")
        until("a network namespace",
              lambda: os.readlink(f"/proc/{self.keeper.pid}/ns/net") != mine)
        with self.entered():
            _sh("ip", "link", "set", "lo", "up")

    @contextlib.contextmanager
    def entered(self):
        """What this thread opens and begins meanwhile, processes and threads too, is there."""
        with open("/proc/thread-self/ns/net") as before, \
                open(f"/proc/{self.keeper.pid}/ns/net") as there:
            _enter(there.fileno())
            try:
                yield self
            finally:
                _enter(before.fileno())

    def close(self):
        self.keeper.kill()
        self.keeper.wait()


class Switch(Host):
    """A host to which others are joined: its own address is the first of the network."""

    def __init__(self, network="192.0.2"):
        super().__init__()
        self.network, self.hosts = network, []
        with self.entered():
            _sh("ip", "link", "add", "switch", "type", "bridge")
            _sh("ip", "addr", "add", f"{network}.1/24", "dev", "switch")
            _sh("ip", "link", "set", "switch", "up")

    def join(self, number):
        """Another host, with this number for an address."""
        host = Host()
        self.hosts.append(host)
        with self.entered():
            _sh("ip", "link", "add", f"port{number}", "type", "veth", "peer", "name", "eth",
                "netns", host.keeper.pid)
            _sh("ip", "link", "set", f"port{number}", "master", "switch", "up")
        with host.entered():
            _sh("ip", "addr", "add", f"{self.network}.{number}/24", "dev", "eth")
            _sh("ip", "link", "set", "eth", "up")
        return host

    def close(self):
        for host in self.hosts:
            host.close()
        super().close()


class Wire:
    """What passes the devices of the host that this thread is on, while it is looked at."""

    def __enter__(self):
        self._seen, self._over = bytearray(), False
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._socket.settimeout(0.2)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def _read(self):
        while True:
            try:
                self._seen += self._socket.recv(1 << 17)
            except TimeoutError:
                if self._over:
                    return

    def seen(self):
        """All of it, when nothing more comes."""
        return bytes(self._seen)

    def __exit__(self, *_):
        self._over = True
        self._reader.join(20)
        self._socket.close()
