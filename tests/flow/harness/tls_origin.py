"""Services that speak TLS themselves, for the proxy to dial: Python's, and other people's."""

import contextlib
import hashlib
import select
import shutil
import socket
import ssl
import subprocess
import threading

from .client import IGNORE_UNEXPECTED_EOF
from .waiting import PATIENCE, until


def server_context(certs, pair=None, client=None, version=None, alpn=None):
    """client: "require" demands a certificate of the tests' CA."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.options &= ~IGNORE_UNEXPECTED_EOF
    pair = pair or certs.server
    ctx.load_cert_chain(pair.cert, pair.key)
    if client:
        ctx.verify_mode = ssl.CERT_REQUIRED
        ctx.load_verify_locations(certs.ca.cert)
    if version:
        ctx.minimum_version = ctx.maximum_version = version
    if alpn:
        ctx.set_alpn_protocols(alpn)
    return ctx


class OverTls:
    """A handler for an Origin: TLS, then another handler; what became of each is noted."""

    def __init__(self, ctx, handler, before=None):
        """before(conn): what the service does before TLS."""
        self.ctx, self.handler, self.before = ctx, handler, before
        self.seen, self.failures = [], []       # sockets whose handshake is done; reasons

    def __call__(self, conn):
        if self.before:
            self.before(conn)
        try:
            tls = self.ctx.wrap_socket(conn, server_side=True, suppress_ragged_eofs=False)
        except (ssl.SSLError, ConnectionError) as e:
            self.failures.append(getattr(e, "reason", None) or type(e).__name__)
            return
        self.seen.append((tls.session_reused, tls.getpeercert(), tls.version(),
                          tls.selected_alpn_protocol()))
        with contextlib.suppress(ConnectionError):
            self.handler(tls)
        with contextlib.suppress(OSError):
            tls.close()

    @property
    def resumed(self):
        return [one[0] for one in self.seen]


def finish(tls):
    """close_notify; whether the peer's is there yet or not."""
    with contextlib.suppress(OSError, ValueError):
        tls.unwrap()


def echo(tls):
    """Everything back, and the end too."""
    while data := tls.recv(65536):
        tls.sendall(data)
    finish(tls)


def exchange(tls, block, times):
    """Send and receive so many blocks at once, in one thread: OpenSSL bears no two in one
    connection. What came, as a hash."""
    digest, got, todo, left = hashlib.sha256(), 0, memoryview(b""), times
    tls.setblocking(False)
    while got < times * len(block) or todo or left:
        if not todo and left:
            todo, left = memoryview(block), left - 1
        idle = True
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            if todo:
                todo = todo[tls.send(todo):]
                idle = False
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            if got < times * len(block):
                data = tls.recv(65536)
                assert data, f"ended after {got} bytes"
                digest.update(data)
                got, idle = got + len(data), False
        if idle:
            ready = select.select([tls], [tls] if todo else [], [], PATIENCE)
            assert ready[0] or ready[1], f"stuck after {got} bytes"
    tls.settimeout(PATIENCE)
    return digest.hexdigest()


class Program:
    """Somebody else's server on a free port."""

    def __init__(self, *args):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        assert shutil.which(args[0]), f"the flow tests need {args[0]}"
        self.process = subprocess.Popen(
            [str(a).replace("PORT", str(self.port)) for a in args], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.output = []
        threading.Thread(target=self._read, daemon=True).start()
        self.address = f"127.0.0.1:{self.port}"
        until(f"{args[0]} listens", self._listens)

    def _read(self):
        for line in self.process.stdout:
            self.output.append(line.decode(errors="backslashreplace"))

    def _listens(self):
        """Asked of the kernel: a server may serve one connection and be done."""
        assert self.process.poll() is None, self.output
        with open("/proc/net/tcp", encoding="ascii") as table, \
                open("/proc/net/tcp6", encoding="ascii") as table6:
            rows = table.readlines()[1:] + table6.readlines()[1:]
        return any(int(r.split()[1].rpartition(":")[2], 16) == self.port
                   and r.split()[3] == "0A" for r in rows)

    def close(self):
        self.process.kill()
        self.process.wait()
