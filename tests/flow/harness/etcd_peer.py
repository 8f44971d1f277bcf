"""Clients of etcd in Python (python3-etcd3), a program for harness/jobs.py."""

import threading

import etcd3

from .jobs import work
from .waiting import PATIENCE, until

clients, watches = {}, {}


class Watch:
    """A watch of one key, and what it was told: values, in their order."""

    def __init__(self, client, key):
        self.values = []
        events, self.cancel = client.watch(key)
        self.thread = threading.Thread(target=self._follow, args=(events,), daemon=True)
        self.thread.start()

    def _follow(self, events):
        for event in events:
            self.values.append(event.value.decode())


def connect(client, host, port, ca, cert=None, key=None):
    clients[client] = etcd3.client(host=host, port=int(port), ca_cert=ca, cert_cert=cert,
                                   cert_key=key, timeout=PATIENCE)


def put(client, key, value=None, size=None):
    clients[client].put(key, value if size is None else "x" * int(size))


def get(client, key):
    value, _ = clients[client].get(key)
    return {"value": (value or b"").decode()}


def members(client):
    return {"urls": ",".join(url for m in clients[client].members for url in m.client_urls)}


def count(client, key, first, last):
    """Put these numbers, one after the other."""
    for i in range(int(first), int(last) + 1):
        clients[client].put(key, str(i))


def watch(client, watch, key):
    watches[watch] = Watch(clients[client], key)


def seen(watch, last):
    """What the watch was told until this came."""
    values = watches[watch].values
    until(f"{last} (it has {values[-1:]})", lambda: last in values)
    return {"values": " ".join(values)}


def close(client):
    clients.pop(client).close()


if __name__ == "__main__":
    work({f.__name__: f for f in (connect, put, get, members, count, watch, seen, close)})
