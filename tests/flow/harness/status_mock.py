"""A status page on a server of its own, whose status.json is what a test says. Its shape is that
of doc/status.md."""

import copy
import datetime
import http.server
import json
import pathlib
import threading

PAGE = pathlib.Path(__file__).resolve().parents[3] / "src/app/status.html"
NOW = datetime.datetime(2026, 11, 23, 22, 15, 11)


def at(days=0.0):
    """A time so many days from NOW, as status.json writes it."""
    return (NOW + datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def certificate(name, days=80.0, of=90.0, state="fine", **more):
    return {"kind": "leaf", "name": name, "subject": name, "issuer": "CN=ca", "serial": "0A",
            "names": "DNS:a.example", "key": "EC P-256", "sha256": "ab" * 32,
            "file": "/etc/sallyport/tls.crt", "alias": None, "not_before": at(days - of),
            "not_after": at(days), "days_left": int(days), "state": state, **more}


def crl(name, days=6.0, state="fine", **more):
    return {"name": name, "number": "07", "file": "/etc/sallyport/ca.crl",
            "this_update": at(days - 7), "next_update": at(days), "days_left": int(days),
            "state": state, **more}


def route(name, **more):
    return {"route": name, "mode": "terminate", "listen": ["0.0.0.0:9142"], "sni": [], "alpn": [],
            "store": "node", "client_auth": "require", "trust": "clients", "upstream": "cassandra",
            "connections_open": 5, "connections": 1000, "bytes_from_clients": 123456,
            "bytes_to_clients": 654321, "handshakes": 990, "handshakes_resumed": 100,
            "handshakes_failed": {}, "ended": {"done": 900}, "refused": 0,
            "client_certificate_not_after": None, **more}


def server(name, state="up", why=""):
    return {"server": name,
            "addresses": [{"address": name, "state": state, "since": at(-0.09), "why": why}]}


def well():
    """One that is well."""
    return {
        "version": "0.1.0", "library": "OpenSSL 3.0.22", "pid": 4711, "state": "running",
        "ready": True, "not_ready": [], "now": at(), "started": at(-0.1), "generation": 3,
        "generation_since": at(-0.05), "generations_older": 0, "connections_on_older": 0,
        "reloads": {"ok": 2, "failed": 0},
        "last_reload": {"ok": True, "mended": False, "time": at(-0.05), "cause": "files changed",
                        "files": "/etc/sallyport/tls.crt", "generation": 3, "findings": [],
                        "changes": []},
        "workers": [{"worker": i, "pid": 4712 + i, "started": at(-0.1), "restarts": 0,
                     "connections_open": 6} for i in range(2)],
        "worker_restarts": 0,
        "totals": {"accepts": 1000, "connections_open": 12, "handshakes": 990,
                   "bytes_from_clients": 123456, "bytes_to_clients": 654321},
        "routes": [route("cql")],
        "listeners": [{"listener": "0.0.0.0:9142", "accepted": 1000, "refused": 0, "failed": 0}],
        "stores": [{"store": "node", "certificates": [certificate("CN=node")]}],
        "trusts": [{"trust": "clients", "crls": [crl("CN=ca")], "certificates": [
            certificate("CN=ca", 1500, 3650, kind="anchor")]}],
        "upstreams": [{"upstream": "cassandra", "check": "tcp", "balance": "round_robin",
                       "tls": False, "servers": [server("127.0.0.1:9042")]}],
        "hops": [],
    }


class StatusMock:
    """Serves the page. `status` is what it answers next, None for no answer at all; a function
    is called for each answer. `asked` counts."""

    def __init__(self, status):
        self.status, self.asked = status, 0
        mock = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == "/":
                    self.answer("text/html; charset=utf-8", PAGE.read_bytes())
                elif self.path == "/status.json" and mock.status is not None:
                    mock.asked += 1
                    s = mock.status() if callable(mock.status) else copy.deepcopy(mock.status)
                    self.answer("application/json", json.dumps(s).encode())
                elif self.path == "/status.json":
                    self.close_connection = True
                else:
                    self.send_error(404)

            def answer(self, kind, body):
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
