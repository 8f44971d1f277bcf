"""A real Dask cluster in plaintext, used by real TLS clients through the proxy.

Scheduler and two workers speak plaintext on addresses of the loopback network; in front of each
stands a route that requires a client certificate. The workers reach the scheduler and one another
through these, and so does the client. The certificates come from the very commands of the
document that describes Dask with TLS (ADS, distributed training): a CA of ten days, and one
certificate for everybody that has nothing but a common name.
"""

import os
import pathlib
import shlex
import subprocess
import sys

import pytest

from harness import certs as certs_module
from harness import client, dask_cluster

pytestmark = [
    pytest.mark.systems,
    pytest.mark.seconds(600),
    pytest.mark.skipif(bool(os.environ.get("SALLYPORT_SKIP_DASK")), reason="SALLYPORT_SKIP_DASK"),
]

COMMANDS = """
req -x509 -nodes -newkey rsa:4096 -days 10 -keyout dask-tls-ca-key.pem \
    -out dask-tls-ca-cert.pem -subj "/C=US/ST=CA/CN=ODSC CLUSTER PROVISIONER"
req -nodes -newkey rsa:4096 -keyout dask-tls-key.pem -out dask-tls-req.pem \
    -subj "/C=US/ST=CA/CN=DASK CLUSTER"
x509 -req -in dask-tls-req.pem -CA dask-tls-ca-cert.pem -CAkey dask-tls-ca-key.pem \
    -CAcreateserial -out dask-tls-cert.pem
"""

CLIENT = pathlib.Path(__file__).parent / "harness" / "dask_client.py"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dask-keys")
    for line in COMMANDS.strip().replace("\\\n", " ").splitlines():
        certs_module.openssl(*shlex.split(line), cwd=folder)
    return folder


@pytest.fixture
def cluster(sallyport, keys, tmp_path):
    """The proxy, in front of a scheduler and two workers that have found each other."""
    files = [keys / f"dask-tls-{name}.pem" for name in ("cert", "key", "ca-cert")]
    upstreams = dask_cluster.services()
    proxy = sallyport(dask_cluster.configuration(upstreams, *files), listeners=3)
    cluster = dask_cluster.Cluster(tmp_path, proxy, upstreams, *files)
    yield proxy, cluster.scheduler
    cluster.close()


def test_a_cluster_behind_the_proxy(cluster, keys):
    """scatter to one worker, compute on the other (they talk to each other), gather."""
    proxy, scheduler = cluster
    done = subprocess.run(
        [sys.executable, str(CLIENT), scheduler, keys / "dask-tls-ca-cert.pem",
         keys / "dask-tls-cert.pem", keys / "dask-tls-key.pem"],
        capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "equal"
    assert proxy.await_access(route="node2")["identity"] == "cn:DASK CLUSTER"


def test_without_a_certificate(cluster, certs, keys):
    proxy, scheduler = cluster
    host, port = scheduler.removeprefix("tls://").split(":")
    got = client.outcome((host, int(port)), certs, check=False)
    assert got == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    line = proxy.await_access(reason="handshake-failed")
    assert (line["cause"], line["side"]) == ("no-client-certificate", "client")
    assert "ODSC CLUSTER PROVISIONER" in line["what"], "it says whose certificate is wanted"


def test_without_tls(cluster):
    """A plaintext Dask client gets an end, and the operator a line."""
    proxy, scheduler = cluster
    host, port = scheduler.removeprefix("tls://").split(":")
    with client.dial((host, int(port))) as sock:
        sock.sendall((64).to_bytes(8, "little"))
        proxy.await_access(reason="handshake-failed", side="client")
