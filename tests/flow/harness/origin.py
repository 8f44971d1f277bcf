"""Plaintext services for the proxy to stand in front of.

An Origin without a handler leaves its connections to the test (accept()), which can
then play both ends in reading order; with a handler each connection has a thread.
"""

import contextlib
import errno
import os
import queue
import socket
import struct
import threading

from .waiting import PATIENCE


class Origin:
    def __init__(self, handler=None, path=None, backlog=128, at=("127.0.0.1", 0)):
        """On a free port of 127.0.0.1, or elsewhere, or at the Unix socket `path`."""
        self.path, self._handler = path, handler
        self.failures = []
        self._accepted = queue.Queue()
        self._open, self._lock, self._closing = set(), threading.Lock(), False
        if path:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.bind(str(path))
            os.chmod(path, 0o666)
            self.address = f"unix:{path}"
        else:
            self.socket = socket.create_server(at, backlog=backlog)
            self.address = "%s:%d" % self.socket.getsockname()
        self.socket.listen(backlog)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while True:
            try:
                conn, _ = self.socket.accept()
            except OSError:
                return
            conn.settimeout(PATIENCE)
            with self._lock:
                if self._closing:
                    conn.close()
                    return
                self._open.add(conn)
            if self._handler:
                threading.Thread(target=self._serve, args=(conn,), daemon=True).start()
            else:
                self._accepted.put(conn)

    def _serve(self, conn):
        try:
            self._handler(conn)
        except Exception as e:          # noqa: BLE001  (told at the end of the test)
            # The proxy may cut it, and its checks are gone at once; the test says what it may.
            gone = isinstance(e, ConnectionError) or getattr(e, "errno", 0) == errno.ENOTCONN
            if not gone and not self._closing:
                self.failures.append(e)
        finally:
            with self._lock:
                self._open.discard(conn)
            with contextlib.suppress(OSError):
                conn.close()

    def accept(self, patience=PATIENCE):
        """The next connection that came in; it is the test's."""
        return self._accepted.get(timeout=patience)

    def nobody_came(self):
        return self._accepted.empty()

    def close(self):
        with self._lock:
            self._closing = True
            left = list(self._open)
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)      # wakes accept()
        self.socket.close()
        for conn in left:
            with contextlib.suppress(OSError):
                conn.shutdown(socket.SHUT_RDWR)
            if not self._handler:
                conn.close()
        self._thread.join(PATIENCE)
        assert not self.failures, self.failures


# --- handlers ---

def echo(conn):
    """Everything back, and the end too."""
    while data := conn.recv(65536):
        conn.sendall(data)
    conn.shutdown(socket.SHUT_WR)


def banner(text):
    """Speaks first, then echoes."""
    def handler(conn):
        conn.sendall(text)
        echo(conn)
    return handler


def hold(conn):
    """Takes everything and says nothing."""
    while conn.recv(65536):
        pass


def http_hello(conn):
    """Enough HTTP for curl: one answer that repeats the request line."""
    head = b""
    while b"\r\n\r\n" not in head:
        data = conn.recv(65536)
        if not data:
            return
        head += data
    body = b"you asked: " + head.partition(b"\r\n")[0] + b"\n"
    conn.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
                 % (len(body), body))


# --- what to do with a connection ---

def reset(conn):
    """Close with a RST."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()


def receive(conn, count):
    """Exactly so many bytes."""
    data = b""
    while len(data) < count:
        more = conn.recv(count - len(data))
        assert more, f"ended after {len(data)} of {count} bytes: {data[-200:]!r}"
        data += more
    return data


def receive_all(conn):
    """Everything up to the end."""
    data = b""
    while more := conn.recv(65536):
        data += more
    return data
