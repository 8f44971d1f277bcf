"""Workers are killed and programs swapped while connections come and go: nobody is refused, and
only what a killed worker had in its hands is lost.

FLOW_LONG=1: 1,000 workers and 100 programs. The load is what the machine bears, 300 connections a
second at most, each with a handshake and an echo; beside them live ones where workers are killed.
"""

import os
import random
import re
import signal
import time

import pytest

from harness.gate import Gate, is_sanitized, render
from harness.load import Echo, Load, handshakes_a_second
from harness.succession import orphans_adopted, swap
from harness.waiting import until

LONG = "FLOW_LONG" in os.environ
KILLS, SWAPS = (1000, 100) if LONG else (20, 5)
RATE, LIVE = 300, 100

pytestmark = pytest.mark.seconds(900 if LONG else 120)


@pytest.fixture
def loaded(open_folder, certs, request):
    """loaded(live): the proxy, and the load on two addresses, one of them a Unix socket's."""
    def start(live):
        service = Echo()
        request.addfinalizer(service.close)
        path = open_folder / "sallyport.conf"
        path.write_text(render({
            "proxy": {"workers": 2, "access_log": "off", "drain_timeout": "20s"},
            "store node": {"cert": certs.server.cert, "key": certs.server.key},
            "route main": {"listen": ["127.0.0.1:0", "127.0.0.2:0"], "store": "node",
                           "upstream": service.address}}))
        proxy = Gate(["serve", "-c", path], listeners=2)
        request.addfinalizer(proxy.close)
        share = min(1.0, handshakes_a_second(certs) / (2 * RATE))
        if is_sanitized():
            share /= 10
        load = Load(proxy.listeners, certs, live=int(live * share), rate=RATE * share)
        request.addfinalizer(load.close)
        return proxy, load
    return start


def told(what, n, result):
    print(f"{n} {what} in {result['seconds']:.1f} s; {result['done']} of {result['begun']} new "
          f"connections done, {result['done'] / result['seconds']:.0f} a second; "
          f"refused {result['refused']}, failed {result['failures']}, live ones that ended "
          f"{result['dropped']}, echoes {result['echoes']}")


def test_workers_are_killed(loaded):
    proxy, load = loaded(LIVE)
    took = []
    for _ in range(KILLS):
        victim = random.choice(proxy.workers())
        began = time.monotonic()
        os.kill(victim, random.choice([signal.SIGKILL, signal.SIGABRT]))
        proxy.await_message(r"^worker \d is replaced by process")
        took.append(time.monotonic() - began)
        until("both are there", lambda: len(set(proxy.workers()) - {victim}) == 2)
        time.sleep(0.1)                 # for most of the load to pass in peace
    result = load.finish()
    deaths = [r for r in proxy.records if re.match(r"worker \d was killed", r["message"])]
    lost = sum(int(r["connections_lost"]) for r in deaths)
    told("workers killed", len(deaths), result)
    took.sort()
    print(f"the workers lost {lost}; replaced after {1000 * took[len(took) // 2]:.0f} ms (median), "
          f"{1000 * took[-1]:.0f} ms (worst)")
    assert len(deaths) == KILLS
    assert result["refused"] == 0, result["reasons"]
    assert result["failures"] + result["dropped"] <= lost, result["reasons"]
    assert result["begun"] == result["done"] + result["failures"]


@pytest.fixture
def orphans():
    with orphans_adopted():
        yield


def test_programs_are_swapped(orphans, loaded):
    proxy, load = loaded(0)
    took, pids = [], {proxy.pid}
    for _ in range(SWAPS):
        took.append(swap(proxy))
        pids.add(proxy.pid)
    result = load.finish()
    told("programs swapped", len(pids) - 1, result)
    print(f"taken over after {1000 * max(t for t, _ in took):.0f} ms, and the old one gone after "
          f"{1000 * max(e for _, e in took):.0f} ms more (worst)")
    assert len(pids) == SWAPS + 1
    assert (result["refused"], result["failures"]) == (0, 0), result["reasons"]
    assert result["done"] == result["begun"]
    assert not proxy.says("drain is over")
