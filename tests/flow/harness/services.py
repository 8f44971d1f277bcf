"""Services for checks: each answers on 127.0.0.1 as its protocol does, or as it is told to."""

import contextlib
import http.server
import struct
import threading
from concurrent import futures

from .origin import Origin


class Web:
    """HTTP: .status is what it answers; .asked are the paths, with their Host."""

    def __init__(self):
        outer = self
        self.status, self.asked = 200, []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):           # noqa: N802  (the name is the library's)
                outer.asked.append((self.path, self.headers["Host"]))
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = "127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Grpc:
    """A real gRPC server; with health=True it has the health service, which says .serving."""

    def __init__(self, health=True):
        import grpc
        outer = self
        self.serving, self.calls = True, 0

        class Health(grpc.GenericRpcHandler):
            def service(self, details):
                if not health or details.method != "/grpc.health.v1.Health/Check":
                    return None

                def check(_request, _context):
                    outer.calls += 1
                    return b"\x08\x01" if outer.serving else b"\x08\x02"
                return grpc.unary_unary_rpc_method_handler(check)

        self.server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[Health()])
        self.address = "127.0.0.1:%d" % self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def close(self):
        self.server.stop(None)


def exactly(conn, count):
    data = b""
    while len(data) < count:
        more = conn.recv(count - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data


class Cql(Origin):
    """CQL, of which it knows OPTIONS; .error is a code and text to answer instead, or None."""

    def __init__(self):
        self.error = None
        super().__init__(self._speak)

    def _speak(self, conn):
        version, _flags, stream, opcode, length = struct.unpack("!BBHBI", exactly(conn, 9))
        exactly(conn, length)
        if (version, opcode) != (4, 5):
            return                      # a check that asks anything else finds it closed
        body, kind = struct.pack("!H", 0), 6
        if self.error:
            code, text = self.error
            body, kind = struct.pack("!IH", code, len(text)) + text.encode(), 0
        conn.sendall(struct.pack("!BBHBI", 0x80 | version, 0, stream, kind, len(body)) + body)
        with contextlib.suppress(ConnectionError):
            conn.recv(1)


class ZooKeeper(Origin):
    """.words: it takes four-letter words; .quorum: it has one. .sessions that it granted, and
    how many of them were .ended."""

    def __init__(self, words=True):
        self.words, self.quorum, self.sessions, self.ended = words, True, 0, 0
        super().__init__(self._speak)

    def _speak(self, conn):
        first = exactly(conn, 4)
        if first == b"srvr":
            if not self.words:
                conn.sendall(b"srvr is not executed because it is not in the whitelist.\n")
            elif not self.quorum:
                conn.sendall(b"This ZooKeeper instance is not currently serving requests\n")
            else:
                conn.sendall(b"Zookeeper version: 3.8.0-1, built on unknown\nLatency min/avg/max")
            return
        request = exactly(conn, struct.unpack("!I", first)[0])
        _version, _zxid, timeout, _session, size = struct.unpack_from("!IqIqI", request)
        if not self.quorum or size != 16:
            return
        self.sessions += 1
        conn.sendall(struct.pack("!IIIqI", 37, 0, timeout, 7, 16) + b"p" * 16 + b"\0")
        length, _xid, kind = struct.unpack("!Iii", exactly(conn, 12))
        self.ended += (length, kind) == (8, -11)
