"""The client's part of test_95_dask: SCHEDULER CA CERT KEY. The last line says "equal"."""

import sys

from distributed import Client
from distributed.security import Security


def double(data):
    return bytes(data) * 2


def main(scheduler, ca, cert, key):
    security = Security(tls_ca_file=ca, tls_client_cert=cert, tls_client_key=key,
                        require_encryption=True)
    with Client(scheduler, security=security, timeout=60) as client:
        first, second = sorted(client.scheduler_info()["workers"])
        print("workers:", first, second)
        data = bytes(range(256)) * 12000                        # 3 MB
        there, = client.scatter([data], workers=[first])
        assert set(client.who_has([there])[there.key]) == {first}
        doubled = client.submit(double, there, workers=[second], pure=False)
        assert client.gather(doubled) == data * 2               # by way of the scheduler
        assert client.gather(doubled, direct=True) == data * 2  # from the worker itself
        # So the one has fetched it from the other. (The copy may be gone again by now.)
        assert set(client.who_has([doubled])[doubled.key]) == {second}
        total = client.submit(sum, client.map(lambda n: n * n, range(200), pure=False))
        assert total.result(timeout=120) == sum(n * n for n in range(200))
        assert set(client.run(lambda: "here").values()) == {"here"}
    print("equal")


main(*sys.argv[1:])
