"""A process of its own that makes load, or that answers it: see load.py.

    load_process.py echo
    load_process.py load JSON

`load` connects, shakes hands, sends one message and wants it back, then ends in order; so many
times a second, and meanwhile keeps live connections that do the same now and then. One loop of
nonblocking sockets: with threads, or with asyncio, one CPU would not do for it.
"""

import hashlib
import json
import random
import selectors
import socket
import ssl
import sys
import time

DEADLINE = 10.0         # of one new connection, and of one echo
MESSAGE = 32


def say(**what):
    print(json.dumps(what), flush=True)


def echo():
    """Everything back, and the end too."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    listener.setblocking(False)
    say(port=listener.getsockname()[1])
    sel = selectors.DefaultSelector()
    sel.register(listener, selectors.EVENT_READ)
    sel.register(sys.stdin, selectors.EVENT_READ)
    while True:
        for key, _ in sel.select():
            if key.fileobj is sys.stdin:
                return
            if key.fileobj is listener:
                conn, _ = listener.accept()
                conn.setblocking(False)
                sel.register(conn, selectors.EVENT_READ)
                continue
            try:
                data = key.fileobj.recv(65536)
                if data:
                    key.fileobj.sendall(data)       # a message fits the socket's buffer
            except ConnectionError:
                data = b""
            if not data:
                sel.unregister(key.fileobj)
                key.fileobj.close()


class Conn:
    """CONNECT, HANDSHAKE, then ECHO; a live one goes on to IDLE and back."""

    def __init__(self, load, target, live):
        self.load, self.target, self.live = load, target, live
        self.began = self.since = time.monotonic()
        self.message, self.got = b"", b""
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.state, self.events = "connect", 0
        self.sock.connect_ex(tuple(load.targets[target]))
        self._want(selectors.EVENT_WRITE)

    def _want(self, events):
        if events == self.events:
            return
        if self.events == 0:
            self.load.sel.register(self.sock, events, self)
        else:
            self.load.sel.modify(self.sock, events, self)
        self.events = events

    def wake(self):
        try:
            self._turn()
        except ssl.SSLWantReadError:
            self._want(selectors.EVENT_READ)
        except ssl.SSLWantWriteError:
            self._want(selectors.EVENT_WRITE)
        except OSError as e:                        # of which SSLError is one
            self.fail(f"{type(e).__name__} in {self.state}: {e}")

    def _turn(self):
        if self.state == "connect":
            error = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, "connect")
            self.load.sel.unregister(self.sock)
            self.events, self.state = 0, "handshake"
            self.sock = self.load.context.wrap_socket(
                self.sock, server_hostname=self.load.name, do_handshake_on_connect=False)
        if self.state == "handshake":
            self.sock.do_handshake()
            self.load.handshaken(self)
            self.ask()
        if self.state == "idle":
            # Session tickets are read here; whatever else comes is not wanted.
            self.fail(f"unasked for: {self.sock.recv(100)!r}")
        if self.state == "echo":
            while len(self.got) < MESSAGE:
                data = self.sock.recv(MESSAGE - len(self.got))
                if not data:
                    self.fail("ended before the echo")
                    return
                self.got += data
            if self.got != self.message:
                self.fail("another echo")
            elif self.live:
                self.load.echoes += 1
                self.state = "idle"
                self._want(selectors.EVENT_READ)
            else:
                self.end()

    def ask(self):
        self.message, self.got = random.randbytes(MESSAGE), b""
        self.state, self.since = "echo", time.monotonic()
        self.sock.send(self.message)
        self._want(selectors.EVENT_READ)

    def end(self):
        self.load.done += 1
        try:
            self.sock.unwrap()
        except OSError:
            pass
        self.close()

    def fail(self, why):
        self.load.failed(self, why)
        self.close()

    def close(self):
        if self.events:
            self.load.sel.unregister(self.sock)
            self.events = 0
        self.load.open.discard(self)
        self.sock.close()


class Load:
    def __init__(self, targets, ca, name, live, rate, echoes):
        self.targets, self.name = targets, name
        self.context = ssl.create_default_context(cafile=ca)
        self.sel = selectors.DefaultSelector()
        self.open = set()
        self.begun = self.done = self.echoes = self.failures = self.dropped = self.refused = 0
        self.reasons = []
        self.seen = [{} for _ in targets]           # certificate: [first begin, last begin]
        self.alive, self.live, self.rate, self.echo_rate = [], live, rate, echoes

    def handshaken(self, conn):
        cert = hashlib.sha256(conn.sock.getpeercert(binary_form=True)).hexdigest()
        times = self.seen[conn.target].get(cert)
        if times is None:
            self.seen[conn.target][cert] = [conn.began, conn.began]
            say(target=conn.target, cert=cert, first=conn.began)
        else:
            times[0], times[1] = min(times[0], conn.began), max(times[1], conn.began)

    def failed(self, conn, why):
        self.refused += conn.state == "connect"
        if conn.live:
            self.dropped += 1
        else:
            self.failures += 1
        if len(self.reasons) < 20:
            self.reasons.append(f"{'live' if conn.live else 'new'} {conn.target}: {why}")

    def begin(self, live=False):
        conn = Conn(self, (len(self.alive) if live else self.begun) % len(self.targets), live)
        self.open.add(conn)
        if live:
            self.alive.append(conn)
        else:
            self.begun += 1

    def look_after(self, now):
        for conn in [c for c in self.open if c.state != "idle" and now - c.since > DEADLINE]:
            conn.fail(f"nothing in {DEADLINE:g} s of {conn.state}")

    def turn(self, until):
        """Wait for events; False when the input has ended: that is the sign to stop."""
        going = True
        for key, _ in self.sel.select(max(0.0, until - time.monotonic())):
            if key.data is None:
                going = False
            else:
                key.data.wake()
        return going

    def run(self):
        while len(self.alive) < self.live:
            self.begin(live=True)
            self.turn(time.monotonic() + 1 / (2 * self.rate))
        while any(c.state != "idle" for c in self.alive if c in self.open):
            self.turn(time.monotonic() + 0.1)
            self.look_after(time.monotonic())
        self.sel.register(sys.stdin, selectors.EVENT_READ)
        began = time.monotonic()
        say(ready=True, alive=len(self.alive) - self.dropped)
        asked, looked, going = 0, began, True
        while going:
            now = time.monotonic()
            while self.begun < (now - began) * self.rate:
                self.begin()
            while self.live and asked < (now - began) * self.echo_rate:
                conn = self.alive[asked % self.live]
                if conn.state == "idle" and conn in self.open:
                    conn.ask()
                asked += 1
            if now - looked > 0.5:
                looked = now
                self.look_after(now)
            going = self.turn(began + (self.begun + 1) / self.rate)
        took = time.monotonic() - began
        self.sel.unregister(sys.stdin)
        while any(c.state != "idle" for c in self.open):
            self.turn(time.monotonic() + 0.1)
            self.look_after(time.monotonic())
        say(begun=self.begun, done=self.done, failures=self.failures, dropped=self.dropped,
            refused=self.refused,
            echoes=self.echoes, reasons=self.reasons, seconds=took, seen=self.seen,
            cpu=time.process_time())
        for conn in list(self.open):
            conn.end()


if __name__ == "__main__":
    if sys.argv[1] == "echo":
        echo()
    else:
        Load(**json.loads(sys.argv[2])).run()
