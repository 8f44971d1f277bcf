"""TLS clients: Python's, whole and in single bytes."""

import re
import select
import socket
import ssl
import warnings

from .origin import reset
from .waiting import PATIENCE

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
VERSIONS = [TLS12, TLS13]

# Python sets this, and then an end without close_notify looks like one with it.
IGNORE_UNEXPECTED_EOF = getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 1 << 7)


def version_id(version):
    return version.name


def context(certs, version=None, client=None, alpn=None, ciphers=None, check=True):
    """A client that trusts the tests' CA. version: the only one offered; client: its Pair;
    check: True, "chain" (but no name), False."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.options &= ~IGNORE_UNEXPECTED_EOF
    if check:
        ctx.check_hostname = check != "chain"
        ctx.load_verify_locations(certs.ca.cert)
    else:
        ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    if version is not None:
        with warnings.catch_warnings():         # TLS 1.0 and 1.1 are deprecated; we know
            warnings.simplefilter("ignore", DeprecationWarning)
            ctx.minimum_version = ctx.maximum_version = version
    if client:
        ctx.load_cert_chain(client.cert, client.key)
    if alpn:
        ctx.set_alpn_protocols(alpn)
    if ciphers:
        ctx.set_ciphers(ciphers)
    return ctx


def dial(address):
    """A plain connection to where a Gate listens."""
    if isinstance(address, str):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(PATIENCE)
        sock.connect(address)
        return sock
    sock = socket.create_connection(address, timeout=PATIENCE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def connect(address, certs, name="localhost", **how):
    """A TLS connection as Python makes it; for its ends take a Careful one."""
    ctx = context(certs, **how)
    sock = dial(address)
    try:
        return ctx.wrap_socket(sock, server_hostname=name)
    except BaseException:
        sock.close()
        raise


class CutShort(Exception):
    """The other side ended without close_notify."""


class Careful:
    """A TLS client whose bytes on the wire are counted and cut as one likes.

    `limit` is how many bytes it will ever send: what is beyond raises Vanish, and the
    connection is as it was at that byte. `before_cut(client)`, with cut_at = k, runs
    when exactly k bytes are out, before the rest follows.
    """

    class Vanish(Exception):
        pass

    def __init__(self, address, certs, name="localhost", limit=None, cut_at=None,
                 before_cut=None, **how):
        self.sock = dial(address)
        self.sent, self.limit = 0, limit
        self.cut_at, self.before_cut = cut_at, before_cut
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._early = b""
        self.tls = context(certs, **how).wrap_bio(self._in, self._out, server_hostname=name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _send_wire(self, data):
        while data:
            end = len(data)
            for stop in (self.limit, self.cut_at):
                if stop is not None and self.sent < stop < self.sent + end:
                    end = stop - self.sent
            if self.limit is not None and self.sent >= self.limit:
                raise self.Vanish
            self.sock.sendall(data[:end])
            self.sent, data = self.sent + end, data[end:]
            if self.sent == self.cut_at and self.before_cut:
                self.before_cut(self)

    def _flush(self):
        self._send_wire(self._out.read())

    def _do(self, call, *args):
        while True:
            try:
                result = call(*args)
                self._flush()
                return result
            except ssl.SSLWantReadError:
                self._flush()
                data = self.sock.recv(65536)
                if data:
                    self._in.write(data)
                else:
                    self._in.write_eof()
            except ssl.SSLError as e:
                if isinstance(e, ssl.SSLEOFError) or e.reason == "UNEXPECTED_EOF_WHILE_READING":
                    raise CutShort from e
                self._flush()           # an alert
                raise

    def handshake(self):
        self._do(self.tls.do_handshake)
        return self

    def send(self, data):
        self._do(self.tls.write, data)

    def recv(self, count=65536):
        """b"" at a close_notify; an end without one raises CutShort."""
        if self._early:
            data, self._early = self._early[:count], self._early[count:]
            return data
        try:
            return self._do(self.tls.read, count)
        except ssl.SSLZeroReturnError:
            return b""

    def receive(self, count):
        data = b""
        while len(data) < count:
            more = self.recv(count - len(data))
            assert more, f"ended after {len(data)} of {count} bytes"
            data += more
        return data

    def end(self):
        """close_notify; reading goes on.

        Python asks OpenSSL to wait for the answer as well, and data that arrived before it
        would be lost there: so it is taken out first.
        """
        self._end_quietly(self._keep)
        self._flush()

    def _keep(self, data):
        self._early += data

    def _end_quietly(self, took):
        self._drain(took)
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass

    def exchange(self, pieces, took):
        """Send all the pieces and end, and read to the end meanwhile: neither waits for the
        other. took(data) is called with what arrives."""
        self.sock.setblocking(False)
        todo, sending, reading = bytearray(), True, True
        while sending or reading or todo:
            while sending and len(todo) < 1 << 18:
                piece = next(pieces, None)
                if piece is None:
                    sending = False
                    self._end_quietly(took)
                else:
                    self.tls.write(piece)
                todo += self._out.read()
            readable, writable, _ = select.select([self.sock] if reading else [],
                                                  [self.sock] if todo else [], [], PATIENCE)
            assert readable or writable, f"stuck with {len(todo)} bytes to send"
            if writable:
                del todo[:self.sock.send(todo)]
            if readable:
                data = self.sock.recv(1 << 18)
                if data:
                    self._in.write(data)
                else:
                    self._in.write_eof()
                reading = self._drain(took)
        self.sock.settimeout(PATIENCE)

    def _drain(self, took):
        """Hand over what can be decrypted; False at the peer's close_notify."""
        try:
            while data := self.tls.read(65536):
                took(data)
            return False
        except ssl.SSLWantReadError:
            return True
        except ssl.SSLZeroReturnError:          # the same, once our own is out
            return False

    def cut(self):
        """FIN without close_notify."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        reset(self.sock)

    def close(self):
        self.sock.close()

def _reason(error):
    """Python has no name for some alerts, but OpenSSL's words: the name in the same form."""
    words = re.fullmatch(r"\[SSL\] (.*) \(_ssl\.c:\d+\)", str(error.args[-1]))
    return words[1].upper().replace(" ", "_") if words else type(error).__name__


def outcome(address, certs, **how):
    """"ok" if an echo comes back, else what Python says went wrong ("TLSV1_ALERT_UNKNOWN_CA"). In
    TLS 1.3 a client learns only with its first read that it was refused."""
    try:
        with Careful(address, certs, **how).handshake() as c:
            c.send(b"ping")
            assert c.receive(4) == b"ping"
            c.end()
            assert c.recv() == b""
            return "ok"
    except ssl.SSLError as e:
        return e.reason or _reason(e)
    except (ConnectionError, CutShort) as e:
        return type(e).__name__
