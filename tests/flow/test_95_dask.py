"""A real Dask cluster in plaintext, used by real TLS clients through the proxy.

Scheduler and two workers speak plaintext on addresses of the loopback network; in front of each
stands a route that requires a client certificate. The workers reach the scheduler and one another
through these, and so does the client. The certificates come from the very commands of the
document that describes Dask with TLS (ADS, distributed training): a CA of ten days, and one
certificate for everybody that has nothing but a common name.
"""

import importlib.util
import os
import pathlib
import random
import shlex
import subprocess
import sys

import pytest

from harness import certs as certs_module
from harness import client
from harness.waiting import until

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


class Node:
    """A process of the cluster."""

    def __init__(self, folder, name, module, *args):
        self.log = folder / f"{name}.log"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{module}", "--no-dashboard", *args],
                cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env={**os.environ, "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "False",
                     "DASK_TEMPORARY_DIRECTORY": str(folder)})

    def says(self, words):
        assert self.process.poll() is None, self.log.read_text()
        return words in self.log.read_text()

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dask-keys")
    for line in COMMANDS.strip().replace("\\\n", " ").splitlines():
        certs_module.openssl(*shlex.split(line), cwd=folder)
    return folder


def configuration(keys, services):
    """One route for each service, 127.0.0.2 and up on a free port."""
    sections = {
        "proxy": {"workers": 2, "drain_timeout": "10s"},
        "store dask": {"cert": keys / "dask-tls-cert.pem", "key": keys / "dask-tls-key.pem"},
        "trust dask": {"ca": keys / "dask-tls-ca-cert.pem"},
    }
    for i, service in enumerate(services, 2):
        sections[f"route node{i}"] = {
            "listen": f"127.0.0.{i}:0", "store": "dask", "trust": "dask",
            "client_auth": "require", "upstream": service}
    return sections


@pytest.fixture
def cluster(sallyport, keys, tmp_path):
    """The proxy, in front of a scheduler and two workers that have found each other."""
    assert importlib.util.find_spec("distributed"), \
        f"{sys.executable} has no distributed (Debian: python3-distributed)"
    # An address of the loopback network for each service: nobody else's ports are there.
    net = "127.%d.%d." % (random.randint(64, 254), random.randint(0, 255))
    services = [f"{net}{i}:8786" for i in (1, 2, 3)]
    proxy = sallyport(configuration(keys, services), listeners=3)
    outside = {host: f"tls://{host}:{port}" for host, port in proxy.listeners}
    # Scheduler and workers serve plaintext, but reach one another through the proxy.
    tls = ["--tls-ca-file", str(keys / "dask-tls-ca-cert.pem"),
           "--tls-cert", str(keys / "dask-tls-cert.pem"),
           "--tls-key", str(keys / "dask-tls-key.pem")]
    nodes = []
    try:
        nodes.append(Node(tmp_path, "scheduler", "dask_scheduler", "--protocol", "tcp",
                          "--host", services[0].split(":")[0], "--port", "8786", *tls))
        until("the scheduler runs", lambda: nodes[0].says("Scheduler at:"), patience=120)
        for i in (1, 2):
            nodes.append(Node(
                tmp_path, f"worker{i}", "dask_worker", outside["127.0.0.2"], *tls,
                "--protocol", "tcp", "--no-nanny", "--nthreads", "1", "--name", f"w{i}",
                "--memory-limit", "1GiB",
                "--listen-address", f"tcp://{services[i]}",
                "--contact-address", outside[f"127.0.0.{i + 2}"]))
        for node in nodes[1:]:
            until("the worker is registered", lambda node=node: node.says("Registered to:"),
                  patience=120)
        yield proxy, outside["127.0.0.2"]
    finally:
        for node in reversed(nodes):
            node.close()


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
