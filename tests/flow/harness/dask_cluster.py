"""A Dask cluster in plaintext behind routes of the proxy that require a client certificate.

Scheduler and two workers serve plaintext on addresses of the loopback network, and reach one
another through the proxy, as TLS clients.
"""

import importlib.util
import os
import random
import subprocess
import sys

from .waiting import until


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


def services():
    """Where the three will serve: addresses of the loopback network that nobody else uses."""
    net = "127.%d.%d." % (random.randint(64, 254), random.randint(0, 255))
    return [f"{net}{i}:8786" for i in (1, 2, 3)]


def configuration(upstreams, cert, key, ca):
    """One route for each service, 127.0.0.2 and up on a free port."""
    sections = {
        "proxy": {"workers": 2, "drain_timeout": "10s"},
        "store dask": {"cert": cert, "key": key},
        "trust dask": {"ca": ca},
    }
    for i, service in enumerate(upstreams, 2):
        sections[f"route node{i}"] = {
            "listen": f"127.0.0.{i}:0", "store": "dask", "trust": "dask",
            "client_auth": "require", "upstream": service}
    return sections


class Cluster:
    """scheduler: its address for TLS clients. The nodes use these files as TLS clients."""

    def __init__(self, folder, proxy, upstreams, cert, key, ca):
        assert importlib.util.find_spec("distributed"), \
            f"{sys.executable} has no distributed (Debian: python3-distributed)"
        outside = {host: f"tls://{host}:{port}" for host, port in proxy.listeners}
        self.scheduler, self.nodes = outside["127.0.0.2"], []
        tls = ["--tls-ca-file", str(ca), "--tls-cert", str(cert), "--tls-key", str(key)]
        try:
            self.nodes.append(Node(folder, "scheduler", "dask_scheduler", "--protocol", "tcp",
                                   "--host", upstreams[0].split(":")[0], "--port", "8786", *tls))
            until("the scheduler runs", lambda: self.nodes[0].says("Scheduler at:"), patience=120)
            for i in (1, 2):
                self.nodes.append(Node(
                    folder, f"worker{i}", "dask_worker", self.scheduler, *tls,
                    "--protocol", "tcp", "--no-nanny", "--nthreads", "1", "--name", f"w{i}",
                    "--memory-limit", "1GiB",
                    "--listen-address", f"tcp://{upstreams[i]}",
                    "--contact-address", outside[f"127.0.0.{i + 2}"]))
            for node in self.nodes[1:]:
                until("the worker is registered", lambda node=node: node.says("Registered to:"),
                      patience=120)
        except BaseException:
            self.close()
            raise

    def close(self):
        for node in reversed(self.nodes):
            node.close()
