"""Runs inside a network namespace of its own (`unshare -n`), as root: the host in the middle of
three, with the texts of doc/transparent.md. See test_65_transparent.py, which says what
`main.py CASE` is to do and reads the JSON that comes of it."""

import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from harness import certs as certs_module               # noqa: E402
from harness.gate import SALLYPORT, Gate                # noqa: E402
from harness.waiting import until                       # noqa: E402

DOC = pathlib.Path(__file__).parents[3] / "doc" / "transparent.md"
V4, V6 = "192.0.2.20", "2001:db8::20"
SECRET = b"nobody on the wire may read this"
USER = "nobody"

SERVICE = r"""
import socket, threading
def serve(conn):
    while data := conn.recv(65536):
        conn.sendall(data[::-1])
    conn.close()
s = socket.create_server(("127.0.0.1", 9042), backlog=64)
print("ready", flush=True)
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""
CLIENT = r"""
import socket, sys
host, port, word = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode()
try:
    c = socket.create_connection((host, port), timeout=20)
    c.sendall(word)
    c.shutdown(socket.SHUT_WR)
    got = b""
    while data := c.recv(65536):
        got += data
    print("answered" if got == word[::-1] else "closed" if not got else repr(got))
except OSError as e:
    print(type(e).__name__)
"""


def sh(*words):
    subprocess.run(words, check=True, timeout=20)


def documented():
    """The blocks of the manual: configurations of the service's host, of REDIRECT, of TPROXY;
    the rules of the latter two; and the commands of the last."""
    text = DOC.read_text()
    blocks = {kind: re.findall(rf"^```{kind}\n(.*?)^```\n", text, re.M | re.S)
              for kind in ("ini", "nft", "sh")}
    assert [len(blocks[k]) for k in ("ini", "nft", "sh")] == [3, 2, 1]
    return blocks


class Host:
    """Another host, with a cable to ours whose end here is `dev`."""

    def __init__(self, dev, ours, theirs):
        """ours, theirs: (IPv4 address with its prefix, the same of IPv6)."""
        self.dev = dev
        self.keeper = subprocess.Popen(["unshare", "-n", "sleep", "600"])
        mine = os.readlink("/proc/self/ns/net")
        until("the other host", lambda: os.readlink(f"/proc/{self.keeper.pid}/ns/net") != mine)
        sh("ip", "link", "add", dev, "type", "veth", "peer", "name", "eth", "netns",
           str(self.keeper.pid))
        for address in ours:
            sh("ip", "addr", "add", address, "dev", dev, *nodad(address))
        sh("ip", "link", "set", dev, "up")
        for address in theirs:
            self.run("ip", "addr", "add", address, "dev", "eth", *nodad(address))
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "link", "set", "eth", "up")
        for address in ours:
            self.run("ip", "route", "add", "default", "via", address.split("/")[0])

    def inside(self, *words):
        return ["nsenter", "-t", str(self.keeper.pid), "-n", *words]

    def run(self, *words):
        sh(*self.inside(*words))


def nodad(address):
    return ["nodad"] if ":" in address else []


class Wire:
    """What passes by a device, as long as it is looked at."""

    def __init__(self, dev):
        self.seen = bytearray()
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.bind((dev, 0))
        self.socket.settimeout(0.1)
        self.over = False
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        while True:
            try:
                self.seen += self.socket.recv(65536)
            except TimeoutError:
                if self.over:
                    return

    def stop(self):
        """All that was sent before is in."""
        self.over = True
        self.reader.join()
        self.socket.close()
        return bytes(self.seen)


def says(words):
    """What a client prints."""
    return subprocess.run(words, capture_output=True, text=True, timeout=60).stdout.strip()


def client(host, port=9042, wrap=list):
    return says(wrap([sys.executable, "-c", CLIENT, host, str(port), SECRET.decode()]))


class Hosts:
    """far: the service's; near: one whose packets come through here."""

    def __init__(self, stack):
        sh("ip", "link", "set", "lo", "up")
        for path in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
            pathlib.Path("/proc/sys/net", path).write_text("1")
        self.far = self.host(stack, "far", ("192.0.2.10/24", "2001:db8::10/64"),
                             ("192.0.2.20/24", "2001:db8::20/64"))
        self.near = self.host(stack, "near", ("198.51.100.1/24", "2001:db8:1::1/64"),
                              ("198.51.100.2/24", "2001:db8:1::2/64"))
        self.folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.folder.chmod(0o755)
        self.certs = certs_module.Certs(self.folder)
        self.issue("here", "DNS:gate.example")
        self.issue("far", f"IP:{V4},IP:{V6}")
        service = subprocess.Popen(self.far.inside(sys.executable, "-c", SERVICE),
                                   stdout=subprocess.PIPE, text=True)
        stack.callback(service.kill)
        assert service.stdout.readline() == "ready\n"

    @staticmethod
    def host(stack, *args):
        host = Host(*args)
        stack.callback(host.keeper.kill)
        return host

    def issue(self, side, names):
        """The files that the configuration of this side names."""
        folder = self.folder / side
        folder.mkdir(exist_ok=True)
        pair = self.certs.issue(f"transparent-{side}", side, names=names,
                                usage="serverAuth,clientAuth")
        for name, path in (("node.crt", pair.cert), ("node.key", pair.key),
                           ("ca.crt", self.certs.ca.cert)):
            (folder / name).write_bytes(path.read_bytes())

    def gate(self, stack, side, text, listeners, where=list, workers=2):
        path = self.folder / side / "sallyport.conf"
        path.write_text(f"[proxy]\nworkers = {workers}\nuser = {USER}\ndrain_timeout = 1s\n" + text)
        program, *args = where([SALLYPORT, "serve", "-c", str(path)])
        gate = Gate(args, listeners=listeners, program=program)
        stack.callback(gate.close)
        return gate


def rules(text):
    subprocess.run(["nft", "-f", "-"], check=True, timeout=20, text=True,
                   input=text.replace('"sallyport"', f'"{USER}"'))


def watched(devices, act):
    """What act() says, and for each device whether the secret was on it."""
    wires = {dev: Wire(dev) for dev in devices}
    try:
        said = act()
    finally:
        seen = {dev: wire.stop() for dev, wire in wires.items()}
    return {"said": said, "secret_on": [dev for dev in devices if SECRET in seen[dev]],
            "tls_on": [dev for dev in devices if b"\x16\x03\x01" in seen[dev]]}


def lines(gate, n):
    """n access lines, of which these fields count."""
    return [{k: line.get(k) for k in ("reason", "upstream", "client")}
            for line in (gate.await_access() for _ in range(n))]


def redirect(hosts, stack, blocks):
    hosts.gate(stack, "far", blocks["ini"][0], 4, lambda words: hosts.far.inside(*words))
    gate = hosts.gate(stack, "here", blocks["ini"][1], 2)
    before = watched(["far"], lambda: client(V4))
    rules(blocks["nft"][0])
    return {
        "before": before,
        "v4": watched(["far", "lo"], lambda: client(V4)),
        "v6": watched(["far", "lo"], lambda: client(V6)),
        "lines": lines(gate, 2),
        "direct": [client("127.0.0.1", 15001), client("::1", 15001)],
        "direct_lines": lines(gate, 2),
    }


def tproxy(hosts, stack, blocks):
    hosts.gate(stack, "far", blocks["ini"][0], 4, lambda words: hosts.far.inside(*words))
    gate = hosts.gate(stack, "here", blocks["ini"][2], 2)
    rules(blocks["nft"][1])
    for command in blocks["sh"][0].splitlines():
        sh(*command.split())

    def behind(words):
        return hosts.near.inside(*words)

    return {
        "v4": watched(["far", "near"], lambda: client(V4, wrap=behind)),
        "v6": watched(["far", "near"], lambda: client(V6, wrap=behind)),
        "lines": lines(gate, 2),
    }


def loop(hosts, stack, blocks):
    """A rule that redirects what sallyport dials, too."""
    gate = hosts.gate(stack, "here", blocks["ini"][1].replace("upstream = services", (
        "plaintext_from = anywhere\nupstream = services")), 2)
    spared = '        meta skuid "sallyport" return\n'
    assert spared in blocks["nft"][0]
    rules(blocks["nft"][0].replace(spared, ""))
    base = gate.fds()
    said = client(V4)
    ended = gate.await_access(reason="redirect-loop")
    gate.await_fds(base)
    return {"said": said, "upstream": ended["upstream"],
            "turns": sum("reason" in record for record in gate.records)}


def misnamed(hosts, stack, blocks):
    """The certificate of the service's host has one of the two addresses that are dialled."""
    hosts.issue("far", f"IP:{V4}")
    hosts.gate(stack, "far", blocks["ini"][0], 4, lambda words: hosts.far.inside(*words))
    gate = hosts.gate(stack, "here", blocks["ini"][1], 2)
    rules(blocks["nft"][0])
    said = [client(V4), client(V6)]
    failed = gate.await_message("TLS handshake with the upstream failed")
    return {"said": said, "server": failed["server"], "cause": failed["cause"]}


def wildcard(hosts, stack, blocks):
    """Listening on all addresses, where REDIRECT in prerouting leads, and others may knock."""
    text = blocks["ini"][2].replace("127.0.0.1:15001", "0.0.0.0:15001").replace(
        "[::1]:15001", "[::]:15001")
    hosts.gate(stack, "far", blocks["ini"][0], 4, lambda words: hosts.far.inside(*words))
    gate = hosts.gate(stack, "here", text, 2)
    rules("""table inet sallyport {
        chain prerouting {
            type nat hook prerouting priority dstnat; policy accept;
            ip daddr 192.0.2.0/24 tcp dport 9042 redirect to :15001
            ip6 daddr 2001:db8::/64 tcp dport 9042 redirect to :15001
        }
    }""")

    def behind(words):
        return hosts.near.inside(*words)

    return {
        "redirected": [client(V4, wrap=behind), client(V6, wrap=behind)],
        "lines": lines(gate, 2),
        "direct": [client("198.51.100.1", 15001, behind), client("2001:db8:1::1", 15001, behind)],
        "direct_lines": lines(gate, 2),
    }


def nonlocal_bind(hosts, stack, blocks):
    """Where anybody may bind to strangers' addresses, strangers are strangers all the same."""
    for version in ("ipv4", "ipv6"):
        pathlib.Path(f"/proc/sys/net/{version}/ip_nonlocal_bind").write_text("1")
    blocks["ini"][2] = re.sub(r"(?m)^plaintext_from = .*(\n .*)*$", "", blocks["ini"][2])
    return tproxy(hosts, stack, blocks)


def main():
    with contextlib.ExitStack() as stack:
        result = globals()[sys.argv[1]](Hosts(stack), stack, documented())
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
