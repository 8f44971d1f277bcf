"""Runs inside a network namespace of its own (`unshare -n`), as root: three clients on two
hosts. One host vanishes without a word; the client on the other stops reading for longer than
any timeout. Prints what became of them as JSON. See test_64_limits_dead_peers.py."""

import hashlib
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from harness import certs as certs_module              # noqa: E402
from harness.gate import Gate, render                   # noqa: E402
from harness.origin import Origin                       # noqa: E402

STALL = 75              # seconds without reading: over every timeout the proxy sets
BULK = 8 << 20
CLIENT = r"""
import hashlib, socket, ssl, sys, time
host, port, word, stall = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
c = ctx.wrap_socket(socket.create_connection((host, port)))
c.sendall(word.encode().ljust(8))
assert c.recv(2) == b"ok"
print("ready", flush=True)
time.sleep(stall)
c.settimeout(30)
got = hashlib.sha256()
while data := c.recv(65536):
    got.update(data)
print(got.hexdigest(), flush=True)
"""


def sh(*words):
    subprocess.run(words, check=True, timeout=20)


class Host:
    """Another host, joined to ours by a cable: 198.51.100.N (N = 1, 5) is our end."""

    def __init__(self, n):
        self.ours, self.theirs, self.dev = f"198.51.100.{n}", f"198.51.100.{n + 1}", f"h{n}"
        self.keeper = subprocess.Popen(["unshare", "-n", "sleep", "600"])
        mine = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self.keeper.pid}/ns/net") == mine:
            time.sleep(0.01)
        sh("ip", "link", "add", self.dev, "type", "veth", "peer", "name", "eth", "netns",
           str(self.keeper.pid))
        sh("ip", "addr", "add", f"{self.ours}/30", "dev", self.dev)
        sh("ip", "link", "set", self.dev, "up")
        self.run("ip", "addr", "add", f"{self.theirs}/30", "dev", "eth")
        self.run("ip", "link", "set", "eth", "up")

    def inside(self, *words):
        return ["nsenter", "-t", str(self.keeper.pid), "-n", *words]

    def run(self, *words):
        sh(*self.inside(*words))

    def client(self, port, word, stall):
        c = subprocess.Popen(self.inside(sys.executable, "-c", CLIENT, self.ours, str(port), word,
                                         str(stall)), stdout=subprocess.PIPE, text=True)
        assert c.stdout.readline() == "ready\n"
        return c

    def vanish(self):
        """Its packets still leave and arrive, but the address is nobody's any more: no answer,
        no reset. Our side must not notice by way of ARP."""
        link = subprocess.run(self.inside("ip", "-j", "link", "show", "dev", "eth"),
                              capture_output=True, text=True, check=True).stdout
        mac = json.loads(link)[0]["address"]
        sh("ip", "neigh", "replace", self.theirs, "lladdr", mac, "nud", "permanent",
           "dev", self.dev)
        self.run("ip", "addr", "flush", "dev", "eth")


def serve(conn):
    """idle: say nothing; drip: a KiB a second; bulk: BULK bytes and the end."""
    conn.settimeout(None)
    word = b""
    while len(word) < 8:
        word += conn.recv(8 - len(word))
    conn.sendall(b"ok")
    if word.strip() == b"bulk":
        conn.sendall(os.urandom(1) * BULK)
        conn.shutdown(socket.SHUT_WR)
    while word.strip() == b"drip":
        conn.sendall(bytes(1024))
        time.sleep(1)
    conn.recv(1)


def main():
    sh("ip", "link", "set", "lo", "up")
    doomed, patient = Host(1), Host(5)
    origin = Origin(serve)
    with tempfile.TemporaryDirectory() as folder:
        certs = certs_module.Certs(folder)
        conf = os.path.join(folder, "sallyport.conf")
        with open(conf, "w") as f:
            f.write(render({
                "proxy": {"workers": 1, "drain_timeout": "5s"},
                "store node": {"cert": certs.server.cert, "key": certs.server.key},
                "route main": {"listen": [f"{doomed.ours}:0", f"{patient.ours}:0"],
                               "store": "node", "upstream": origin.address}}))
        gate = Gate(["serve", "-c", conf], listeners=2)
        ports = dict(gate.listeners)
        try:
            idle = doomed.client(ports[doomed.ours], "idle", STALL)
            drip = doomed.client(ports[doomed.ours], "drip", STALL)
            bulk = patient.client(ports[patient.ours], "bulk", STALL)
            time.sleep(3)
            doomed.vanish()
            gone = time.monotonic()
            result = {}
            for _ in range(2):
                line = gate.await_client(doomed.theirs, patience=90)
                result.setdefault("lost", []).append(
                    {"reason": line["reason"], "after": time.monotonic() - gone})
            result["bulk"] = bulk.communicate(timeout=STALL + 60)[0].strip()
            line = gate.await_client(patient.theirs, patience=20)
            result["bulk_line"] = {"reason": line["reason"], "bytes_out": line["bytes_out"]}
            result["expected"] = [hashlib.sha256(bytes([b]) * BULK).hexdigest()
                                  for b in range(256)]
            print(json.dumps(result))
        finally:
            for process in (idle, drip, bulk, doomed.keeper, patient.keeper):
                process.kill()
            gate.close()
    os._exit(0)         # the origin's threads wait for peers that are gone


if __name__ == "__main__":
    main()
