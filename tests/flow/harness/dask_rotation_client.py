"""The client's part of test_58_ca_rotation_dask: SCHEDULER CA CERT KEY.

Works without a pause and says so, a line for each round. A line "CERT KEY" on its input makes
scheduler, workers and itself use that certificate from then on; the connections there are stay.
"""

import ssl
import sys
import threading

from distributed import Client
from distributed.security import Security


def turn_to(files, contexts):
    """In the processes of the cluster as well: each has one context for all it dials."""
    for context in contexts:
        context.load_cert_chain(*files)
    return len(contexts)


def worker_turns_to(files, dask_worker):
    return turn_to(files, [dask_worker.connection_args["ssl_context"]])


def scheduler_turns_to(files, dask_scheduler):
    return turn_to(files, [dask_scheduler.connection_args["ssl_context"]])


def worker_lets_go(dask_worker):
    """Pooled connections end, so that the next word to a peer takes a handshake."""
    dask_worker.rpc.collect()


def scheduler_lets_go(dask_scheduler):
    dask_scheduler.rpc.collect()


def double(data):
    return bytes(data) * 2


def work(client, data):
    """Both workers, and what the one sends to the other."""
    first, second = sorted(client.scheduler_info()["workers"])
    there, = client.scatter([data], workers=[first])
    doubled = client.submit(double, there, workers=[second], pure=False)
    assert client.gather(doubled, direct=True) == data * 2
    total = client.submit(sum, client.map(lambda n: n * n, range(20), pure=False))
    assert total.result(timeout=60) == sum(n * n for n in range(20))
    client.run(worker_lets_go)
    client.run_on_scheduler(scheduler_lets_go)


def main(scheduler, ca, cert, key):
    orders, ended = [], threading.Event()

    def listen():
        for line in sys.stdin:
            orders.append(line.split())
        ended.set()

    threading.Thread(target=listen, daemon=True).start()
    security = Security(tls_ca_file=ca, tls_client_cert=cert, tls_client_key=key,
                        require_encryption=True)
    rounds = 0
    with Client(scheduler, security=security, timeout=60) as client:
        assert isinstance(client.connection_args["ssl_context"], ssl.SSLContext)
        while not ended.is_set():
            if orders:
                files = orders.pop(0)
                assert set(client.run(worker_turns_to, files).values()) == {1}
                assert client.run_on_scheduler(scheduler_turns_to, files) == 1
                turn_to(files, [client.connection_args["ssl_context"]])
                print("turned", flush=True)
            work(client, bytes(range(256)) * 1200)              # 300 KB
            rounds += 1
            print("round", rounds, flush=True)
    print("done", flush=True)


main(*sys.argv[1:])
