"""What expires is warned of in time, and does not stand in the way of what is renewed."""

import datetime
import os
import re
import shutil
import signal
import time

import pytest

from harness import client
from harness.certs import SERVER_NAMES
from harness.gate import render, run
from harness.origin import echo
from harness.waiting import until


def stamp(**ahead):
    now = datetime.datetime.now(datetime.timezone.utc)
    return (now + datetime.timedelta(**ahead)).strftime("%Y%m%d%H%M%SZ")


def issue(certs, name, left, life):
    """A server's certificate with so much of its life left (timedelta's arguments)."""
    return certs.issue(name, "localhost", usage="serverAuth", names=SERVER_NAMES,
                       dates=(stamp(**life), stamp(**left)))


@pytest.fixture(scope="session")
def soon(certs):
    return issue(certs, "soon", {"days": 5, "minutes": 5}, {"days": -55})


@pytest.fixture(scope="session")
def stale(certs):
    pair = issue(certs, "stale", {"days": 100, "minutes": 5}, {"days": -265})
    old = time.time() - 250 * 86400
    os.utime(pair.cert, (old, old))
    return pair


def warnings(proxy):
    return [r["message"] for r in proxy.records if r["level"] == "warn"]


def test_five_days_left(gate, origin, certs, soon, tmp_path):
    cert, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    shutil.copy(soon.cert, cert)
    shutil.copy(soon.key, key)
    proxy = gate(origin(echo).address, store={"cert": cert, "key": key})
    said = proxy.await_message("expires in 5 days")
    assert said["level"] == "warn"
    assert f"[store node] {cert}: the certificate CN=localhost expires" in said["message"]

    # Once a day is enough, whatever is reloaded.
    for _ in range(2):
        proxy.signal(signal.SIGHUP)
        proxy.await_message("^reload done")
    assert len([w for w in warnings(proxy) if "expires in" in w]) == 1
    for source, target in ((certs.server_new.key, key), (certs.server_new.cert, cert)):
        shutil.copy(source, target)
    proxy.await_message("^reload done")
    assert len([w for w in warnings(proxy) if "expires in" in w]) == 1


def test_nothing_has_renewed_it(gate, origin, stale):
    proxy = gate(origin(echo).address, store={"cert": stale.cert, "key": stale.key})
    said = proxy.await_message("two thirds of the life of the certificate CN=localhost")
    assert said["level"] == "warn" and "it expires in 100 days" in said["message"]


def test_check_says_so_too(config, soon, stale, tmp_path):
    sections = config("127.0.0.1:9", store={"cert": soon.cert, "key": soon.key})
    sections["store other"] = {"cert": stale.cert, "key": stale.key, "warn_before": "0"}
    path = tmp_path / "c.conf"
    path.write_text(render(sections))
    done = run("check", "-c", path)
    assert done.returncode == 0
    assert len(re.findall("warning: .*expires in 5 days", done.stdout)) == 1
    assert len(re.findall("warning: .*nothing has renewed it since", done.stdout)) == 1
    sections["store node"]["warn_before"] = "4d"
    path.write_text(render(sections))
    assert "expires in 5 days" not in run("check", "-c", path).stdout


def test_expired_while_it_was_served(sallyport, config, origin, certs, tmp_path):
    """It stays, with a warning, and the other store is renewed all the same."""
    brief = issue(certs, "brief", {"seconds": 6}, {"days": -1})
    cert, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    shutil.copy(certs.server.cert, cert)
    shutil.copy(certs.server.key, key)
    sections = config(origin(echo).address, store={"cert": cert, "key": key})
    sections["store brief"] = {"cert": brief.cert, "key": brief.key}
    sections["route brief"] = {**sections["route main"], "store": "brief",
                               "listen": "127.0.0.2:0"}
    proxy = sallyport(sections, listeners=2)
    time.sleep(7)

    proxy.signal(signal.SIGHUP)
    proxy.await_message("^reload done")
    assert any('brief.crt": the certificate CN=localhost expired' in w for w in warnings(proxy))
    shutil.copy(certs.server_new.key, key)
    shutil.copy(certs.server_new.cert, cert)
    assert proxy.await_message("^reload done")["generation"] == "3"
    with client.connect(proxy.address, certs) as tls:
        assert tls.getpeercert()["serialNumber"] == certs.server_new.serial

    # A new one that has expired is refused, and so is the old one at a start.
    shutil.copy(certs.server_expired.key, key)
    shutil.copy(certs.server_expired.cert, cert)
    proxy.await_message("^reload failed")
    assert run("serve", "-c", proxy.path).returncode == 1


def test_the_hour_is_not_needed_for_what_is_new(gate, origin, certs, soon, tmp_path):
    cert, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    shutil.copy(certs.server.cert, cert)
    shutil.copy(certs.server.key, key)
    proxy = gate(origin(echo).address, store={"cert": cert, "key": key})
    assert not any("expires" in w for w in warnings(proxy))
    shutil.copy(soon.key, key)
    shutil.copy(soon.cert, cert)
    proxy.await_message("expires in 5 days")
    until("it is served", lambda: client.outcome(proxy.address, certs) == "ok")
