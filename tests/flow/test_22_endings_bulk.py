"""64 MiB each way at once with a slow reader: nothing is lost, nothing is out of order.

FLOW_REPEAT says how often each case is run (CI runs it once with 50), FLOW_BULK_MIB how much.
"""

import hashlib
import os
import queue
import random
import socket
import threading
import time

import pytest

from harness import client
from harness.waiting import PATIENCE

MIB = int(os.environ.get("FLOW_BULK_MIB", "64"))
REPEAT = int(os.environ.get("FLOW_REPEAT", "2"))


def pieces(seed):
    """Runs of odd lengths that add up to the size."""
    rng, left = random.Random(seed), MIB << 20
    block = rng.randbytes(1 << 20)
    while left:
        start = rng.randrange(len(block))
        piece = block[start:start + rng.randint(1, min(left, 200000))]
        left -= len(piece)
        yield piece


def digest(seed):
    h = hashlib.sha256()
    for piece in pieces(seed):
        h.update(piece)
    return h.hexdigest()


class Reader:
    """Hashes what comes; a slow one rests after every MiB."""

    def __init__(self, slow):
        self.hash, self.count, self.slow, self.rest = hashlib.sha256(), 0, slow, 1 << 20

    def __call__(self, data):
        self.hash.update(data)
        self.count += len(data)
        if self.slow and self.count >= self.rest:
            self.rest += 1 << 20
            time.sleep(0.003)


def serve(conn, reader):
    """The upstream's part: sends "down" and hashes what comes."""
    def sender():
        for piece in pieces("down"):
            conn.sendall(piece)
        conn.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=sender, daemon=True)
    thread.start()
    while data := conn.recv(1 << 18):
        reader(data)
    thread.join(PATIENCE)
    assert not thread.is_alive()


@pytest.mark.seconds(60 + 60 * REPEAT)
@pytest.mark.parametrize("slow", ["client", "upstream"])
@pytest.mark.parametrize("version", client.VERSIONS, ids=client.version_id)
def test_bulk_both_ways(gate, origin, certs, version, slow):
    served = queue.Queue()

    def handler(conn):
        reader = Reader(slow == "upstream")
        serve(conn, reader)
        served.put(reader)

    proxy = gate(origin(handler).address)
    up, down = digest("up"), digest("down")
    for _ in range(REPEAT):
        mine = Reader(slow == "client")
        with client.Careful(proxy.address, certs, version=version).handshake() as c:
            c.exchange(pieces("up"), mine)
        proxy.await_access(reason="done", bytes_in=MIB << 20, bytes_out=MIB << 20)
        theirs = served.get(timeout=60)     # the proxy may be done before a slow reader is
        assert (mine.count, theirs.count) == (MIB << 20, MIB << 20)
        assert mine.hash.hexdigest() == down
        assert theirs.hash.hexdigest() == up
