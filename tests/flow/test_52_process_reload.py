"""HUP reads everything again, and changes everything or nothing."""

import os
import shutil
import signal

import pytest

from harness import client
from harness.gate import render
from harness.origin import echo


@pytest.fixture
def files(certs, tmp_path):
    """Copies that a test may change."""
    class Files:
        cert, key, ca = tmp_path / "tls.crt", tmp_path / "tls.key", tmp_path / "ca.crt"

        def use(self, pair):
            shutil.copy(pair.cert, self.cert)
            shutil.copy(pair.key, self.key)

    files = Files()
    files.use(certs.server)
    shutil.copy(certs.ca.cert, files.ca)
    return files


@pytest.fixture
def served(gate, origin, files):
    return gate(origin(echo).address, proxy={"reload": "signal"},
                store={"cert": files.cert, "key": files.key})


def serial(proxy, certs):
    tls = client.connect(proxy.address, certs)
    try:
        return tls.getpeercert()["serialNumber"]
    finally:
        tls.close()


def reload(proxy, good=True):
    proxy.signal(signal.SIGHUP)
    return proxy.await_message("^reload done" if good else "^reload failed")


def test_a_new_certificate(served, certs, files):
    assert serial(served, certs) == certs.server.serial
    with client.Careful(served.address, certs).handshake() as live:
        files.use(certs.server_new)
        assert serial(served, certs) == certs.server.serial, "not before it is asked to"
        assert reload(served)["generation"] == "2"
        assert serial(served, certs) == certs.server_new.serial
        live.send(b"as before")
        assert live.receive(9) == b"as before"
        live.end()
        assert live.recv() == b""


BROKEN_FILES = {
    "garbage": (lambda f: f.cert.write_text("no certificate at all\n"), "tls.crt"),
    "empty": (lambda f: f.key.write_text(""), "tls.key"),
    "gone": (lambda f: f.key.unlink(), "tls.key"),
}


@pytest.mark.parametrize("how", BROKEN_FILES)
def test_broken_files_change_nothing(served, certs, files, how):
    breaking, name = BROKEN_FILES[how]
    breaking(files)
    reload(served, good=False)
    assert any(r["level"] == "error" and name in r["message"] for r in served.records)
    assert serial(served, certs) == certs.server.serial
    files.use(certs.server_new)
    reload(served)
    assert serial(served, certs) == certs.server_new.serial


def test_half_of_a_new_pair_changes_nothing(served, certs, files):
    shutil.copy(certs.server_new.cert, files.cert)
    reload(served, good=False)
    assert serial(served, certs) == certs.server.serial
    shutil.copy(certs.server_new.key, files.key)
    reload(served)
    assert serial(served, certs) == certs.server_new.serial


@pytest.mark.parametrize("broken", ["listne = 127.0.0.1:0\n", "garbage\n", "[route\n"])
def test_a_broken_configuration_changes_nothing(served, certs, broken):
    good = served.path.read_text()
    served.path.write_text(good + broken)
    line = good.count("\n") + broken.count("\n")
    reload(served, good=False)
    assert any(r["level"] == "error" and f"{served.path}:{line}: " in r["message"]
               for r in served.records)
    assert client.outcome(served.address, certs) == "ok"
    served.path.unlink()
    reload(served, good=False)
    assert client.outcome(served.address, certs) == "ok"
    served.path.write_text(good)
    reload(served)
    assert client.outcome(served.address, certs) == "ok"


def test_an_address_that_is_taken_changes_nothing(served, origin, config, certs):
    taken = origin(echo).address
    good = served.path.read_text()
    served.path.write_text(good.replace("listen = 127.0.0.1:0",
                                        f"listen = 127.0.0.1:0\nlisten = {taken}"))
    reload(served, good=False)
    assert any(r["level"] == "error" and taken in r["message"] for r in served.records)
    assert client.outcome(served.address, certs) == "ok"


def test_addresses_come_and_go(sallyport, config, origin, certs):
    app = origin(echo).address
    two = config(app, listen=["127.0.0.1:0", "127.0.0.2:0"])
    proxy = sallyport(config(app))
    first = proxy.address

    proxy.path.write_text(render(two))
    reload(proxy)
    second = proxy.await_listener()
    assert second[0] == "127.0.0.2"
    for address in (first, second):
        assert client.outcome(address, certs) == "ok"

    with client.Careful(second, certs).handshake() as live:
        proxy.path.write_text(render(config(app)))
        reload(proxy)
        with pytest.raises(ConnectionRefusedError):
            client.dial(second)
        live.send(b"not cut off")
        assert live.receive(11) == b"not cut off"
        assert client.outcome(first, certs) == "ok"
        live.end()
        assert live.recv() == b""


def test_routes_settings_change(sallyport, config, origin, certs):
    app, other = origin(echo), origin()
    proxy = sallyport(config(app.address))
    assert client.outcome(proxy.address, certs) == "ok"

    proxy.path.write_text(render(config(other.address, client_auth="require")))
    reload(proxy)
    assert client.outcome(proxy.address, certs) == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    with client.Careful(proxy.address, certs, client=certs.client).handshake() as c:
        server = other.accept()
        server.sendall(b"another origin")
        assert c.receive(14) == b"another origin"
        server.close()
        assert c.recv() == b""


def test_trust_is_read_again(gate, origin, certs, tmp_path, config, sallyport):
    ca = tmp_path / "ca.crt"
    shutil.copy(certs.ca.cert, ca)
    sections = config(origin(echo).address, client_auth="require")
    sections["trust clients"]["ca"] = ca
    proxy = sallyport(sections)
    assert client.outcome(proxy.address, certs, client=certs.client) == "ok"
    shutil.copy(certs.other_ca.cert, ca)
    reload(proxy)
    assert client.outcome(proxy.address, certs, client=certs.client_other_ca) == "ok"
    assert client.outcome(proxy.address, certs, client=certs.client) == "TLSV1_ALERT_UNKNOWN_CA"


def test_a_storm_of_hups_is_few_reloads(served, certs):
    for _ in range(1000):
        served.signal(signal.SIGHUP)
    served.await_message("^reload done")
    assert client.outcome(served.address, certs) == "ok"
    reload(served)
    assert sum(r["message"] == "reload done" for r in served.records) <= 4


def test_a_new_worker_has_the_new_configuration(served, certs, files):
    files.use(certs.server_new)
    reload(served)
    files.cert.unlink()                 # what was read is what counts
    victim, = served.workers()
    os.kill(victim, signal.SIGKILL)
    assert serial(served, certs) == certs.server_new.serial


def test_a_restart_key_is_compared_with_the_start(gate, origin):
    proxy = gate(origin(echo).address, proxy={"workers": 1})
    good = proxy.path.read_text()

    def warnings():
        return [r["message"] for r in proxy.records
                if "takes effect at the next restart" in r["message"]]

    for n in (2, 3):
        proxy.path.write_text(good.replace("workers = 1", f"workers = {n}"))
        reload(proxy)
        assert len(warnings()) == n - 1
        assert f'workers = "{n}"' in warnings()[-1]
        assert 'until then it is "1"' in warnings()[-1]
    proxy.path.write_text(good)
    reload(proxy)
    assert len(warnings()) == 2, "it is what it was"
