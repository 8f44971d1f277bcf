"""Another CA in three steps, under a Dask cluster at work: believe both, swap the certificates,
drop the old. Each step is a swap of the mounted secret; no process is started anew, no connection
is lost, and no round of the work fails.

The cluster's own processes trust both CAs from the beginning: they read theirs only when they
start, so theirs is the first rollout in such a rotation.
"""

import os
import pathlib
import subprocess
import sys
import threading
import types

import pytest

from harness import client, dask_cluster
from harness.places import Kubelet
from harness.waiting import until

pytestmark = [
    pytest.mark.systems,
    pytest.mark.seconds(600),
    pytest.mark.skipif(bool(os.environ.get("SALLYPORT_SKIP_DASK")), reason="SALLYPORT_SKIP_DASK"),
]

CLIENT = pathlib.Path(__file__).parent / "harness" / "dask_rotation_client.py"
UNKNOWN = "TLSV1_ALERT_UNKNOWN_CA"
ORDERLY = {"done", "client-cut", "client-reset"}        # the client ended it


class Worker:
    """The client that never stops; rounds: how many it has been through."""

    def __init__(self, scheduler, ca, pair):
        self.said, self.rounds = [], 0
        self.process = subprocess.Popen(
            [sys.executable, CLIENT, scheduler, ca, pair.cert, pair.key], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.said.append(line.rstrip("\n"))
            self.rounds += line.startswith("round ")

    def await_rounds(self, count):
        wanted = self.rounds + count
        until(f"{count} rounds", lambda: self.rounds >= wanted or self.process.poll() is not None,
              patience=120)
        assert self.process.poll() is None, "\n".join(self.said)

    def turn_to(self, pair):
        self.process.stdin.write(f"{pair.cert} {pair.key}\n")
        self.process.stdin.flush()
        until("it has turned", lambda: "turned" in self.said or self.process.poll() is not None,
              patience=120)

    def finish(self):
        self.process.stdin.close()
        self.process.wait(120)
        self.reader.join(60)
        assert self.process.returncode == 0 and self.said[-1] == "done", "\n".join(self.said)

    def close(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def rotation(certs, tmp_path, sallyport, request):
    """All that takes part, with the old certificates in force and work going on."""
    r = types.SimpleNamespace(old_ca=certs.ca, new_ca=certs.other_ca)
    both = certs.file("both-cas.pem", r.old_ca.cert.read_bytes() + r.new_ca.cert.read_bytes())
    r.old, r.new = (
        certs.issue(f"dask-{age}", "DASK CLUSTER", ca=ca, usage="serverAuth,clientAuth",
                    names="DNS:localhost")
        for age, ca in (("old", r.old_ca), ("new", r.new_ca)))
    r.secret = Kubelet(tmp_path / "secret", **{
        "tls.crt": r.old.cert.read_bytes(), "tls.key": r.old.key.read_bytes(),
        "ca.crt": r.old_ca.cert.read_bytes()})
    upstreams = dask_cluster.services()
    made = dask_cluster.configuration(upstreams, *(
        r.secret.folder / name for name in ("tls.crt", "tls.key", "ca.crt")))
    for head in made:
        if head.startswith("route "):
            made[head]["on_expiry"] = "keep"    # Dask's connections outlive the old CA
    r.proxy = sallyport(made, listeners=3)
    r.cluster = dask_cluster.Cluster(tmp_path, r.proxy, upstreams, r.old.cert, r.old.key, both)
    request.addfinalizer(r.cluster.close)
    r.work = Worker(r.cluster.scheduler, both, r.old)
    request.addfinalizer(r.work.close)
    r.work.await_rounds(2)
    host, port = r.cluster.scheduler.removeprefix("tls://").split(":")

    def publish(pair, *cas):
        r.secret.publish(**{"tls.crt": pair.cert.read_bytes(), "tls.key": pair.key.read_bytes(),
                            "ca.crt": b"".join(ca.cert.read_bytes() for ca in cas)})

    def seen_by(pair, ca):
        """A newcomer with this certificate that believes this CA alone: "ok", or what not."""
        return admitted((host, int(port)), pair, types.SimpleNamespace(ca=ca))

    r.publish, r.seen_by = publish, seen_by
    return r


def admitted(address, pair, certs):
    """The scheduler speaks first; a byte of its greeting says that the client is in."""
    try:
        with client.Careful(address, certs, client=pair).handshake() as c:
            return "ok" if c.receive(1) else "ended"
    except client.ssl.SSLError as e:
        return e.reason or str(e)


def test_three_steps(rotation):
    r = rotation
    assert r.seen_by(r.old, r.old_ca) == "ok"
    assert r.seen_by(r.new, r.old_ca) == UNKNOWN

    r.publish(r.old, r.old_ca, r.new_ca)
    until("both are believed", lambda: r.seen_by(r.new, r.old_ca) == "ok")
    assert r.seen_by(r.old, r.old_ca) == "ok"
    r.work.await_rounds(2)

    r.publish(r.new, r.old_ca, r.new_ca)
    until("the new one is shown", lambda: r.seen_by(r.new, r.new_ca) == "ok")
    r.work.await_rounds(2)
    r.work.turn_to(r.new)
    assert r.seen_by(r.old, r.new_ca) == "ok"
    r.work.await_rounds(2)

    r.publish(r.new, r.new_ca)
    until("the old one is believed no more", lambda: r.seen_by(r.old, r.new_ca) == UNKNOWN)
    assert r.seen_by(r.new, r.new_ca) == "ok"
    r.work.await_rounds(2)
    r.work.finish()

    for node in r.cluster.nodes:
        text = node.log.read_text()
        for sign in ("Connection to scheduler broken", "Remove worker", "Removing worker",
                     "Traceback", "CommClosedError", "SSLError"):
            assert sign not in text, text
    ended = [line for line in r.proxy.records if "reason" in line]
    assert {line["reason"] for line in ended} <= ORDERLY | {"handshake-failed"}
    failed = {line["cause"] for line in ended if line["reason"] == "handshake-failed"}
    assert failed <= {"client-certificate-unknown-issuer", "client-untrusted-issuer"}, \
        "newcomers that come before their step is in force, or after it"
