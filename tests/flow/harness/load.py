"""Load beside the test: an Echo to stand in front of, and a Load of TLS clients.

Both are processes of their own (load_process.py), so that neither waits for what the test does.
Times are of the monotonic clock, the same for all processes.
"""

import json
import pathlib
import ssl
import subprocess
import sys
import threading
import time

from .waiting import PATIENCE, until

PROGRAM = pathlib.Path(__file__).parent / "load_process.py"


class _Process:
    def __init__(self, *args):
        self.process = subprocess.Popen([sys.executable, PROGRAM, *args], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def hears(self):
        line = self.process.stdout.readline()
        assert line, f"{PROGRAM.name} ended with {self.process.wait(PATIENCE)}"
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Echo(_Process):
    def __init__(self):
        super().__init__("echo")
        self.address = "127.0.0.1:%d" % self.hears()["port"]


class Load(_Process):
    """`live` connections spread over the targets, and `rate` new ones a second in turn."""

    def __init__(self, targets, certs, live=500, rate=300, echoes=100, name="localhost"):
        self.live, self.rate, self.targets = live, rate, targets
        super().__init__("load", json.dumps({
            "targets": targets, "ca": str(certs.ca.cert), "name": name,
            "live": live, "rate": rate, "echoes": echoes}))
        self._first = {}            # (target, certificate): when it was first served
        self._changed = threading.Condition()
        self.result = None
        while "ready" not in (said := self.hears()):
            self._note(said)
        assert said["alive"] == live, f"{said['alive']} of {live} connections came to be"
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _note(self, said):
        if "cert" in said:
            with self._changed:
                self._first.setdefault((said["target"], said["cert"]), said["first"])
                self._changed.notify_all()

    def _read(self):
        for line in self.process.stdout:
            said = json.loads(line)
            self._note(said)
            if "done" in said:
                self.result = said

    def await_served(self, target, cert, patience=PATIENCE):
        """When the first connection began that was shown this certificate (its SHA-256)."""
        with self._changed:
            assert self._changed.wait_for(lambda: (target, cert) in self._first, patience), \
                f"after {patience:g} s still not served"
            return self._first[target, cert]

    def finish(self):
        """Stop; what it counted."""
        self.process.stdin.close()
        until("the load is done", lambda: self.result or self.process.poll() is not None,
              patience=2 * PATIENCE)
        self._reader.join(PATIENCE)
        assert self.result, f"{PROGRAM.name} ended with {self.process.wait(PATIENCE)}"
        return self.result

    def close(self):
        if not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()


def handshakes_a_second(certs, seconds=0.5):
    """What one CPU of this machine does, both sides in this process and nothing between them."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certs.server.cert, certs.server.key)
    client = ssl.create_default_context(cafile=certs.ca.cert)
    count, began = 0, time.process_time()
    while time.process_time() - began < seconds:
        a, b = ssl.MemoryBIO(), ssl.MemoryBIO()
        ends = [client.wrap_bio(b, a, server_hostname="localhost"),
                server.wrap_bio(a, b, server_side=True)]
        while ends:
            for end in list(ends):
                try:
                    end.do_handshake()
                    ends.remove(end)
                except ssl.SSLWantReadError:
                    pass
        count += 1
    return count / seconds
