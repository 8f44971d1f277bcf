"""Redirected connections, between three hosts: a client that knows nothing reaches a service over
TLS. Configurations and rules are those of doc/transparent.md."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import pytest

from harness.gate import Gate
from harness.gate import run as run_command

SCRIPT = pathlib.Path(__file__).parent / "harness" / "transparent.py"
HOSTS = ["unshare", "-n", "nft", "list", "ruleset"]
needs_hosts = pytest.mark.skipif(
    os.geteuid() != 0 or subprocess.run(HOSTS, capture_output=True).returncode != 0,
    reason="makes network namespaces with rules of nftables: needs root")

V4, V6 = "192.0.2.20", "2001:db8::20"


def run(case):
    done = subprocess.run(["unshare", "-n", sys.executable, SCRIPT, case], capture_output=True,
                          text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    print(done.stderr)
    return json.loads(done.stdout)


def host_of(client):
    return client.rpartition(":")[0].strip("[]")


@needs_hosts
def test_programs_of_this_host_by_redirect():
    result = run("redirect")
    # As it was before: plaintext that goes to the service's sallyport, which wants TLS.
    assert result["before"]["said"] != "answered"
    assert result["before"]["secret_on"] == ["far"]

    for version in ("v4", "v6"):
        assert result[version] == {"said": "answered", "secret_on": ["lo"], "tls_on": ["far"]}
    assert [(line["reason"], line["upstream"], host_of(line["client"]))
            for line in result["lines"]] \
        == [("done", f"{V4}:9042", "192.0.2.10"), ("done", f"[{V6}]:9042", "2001:db8::10")]

    assert "answered" not in result["direct"]
    assert [line["reason"] for line in result["direct_lines"]] == ["not-redirected"] * 2


@needs_hosts
def test_programs_of_other_hosts_by_tproxy():
    result = run("tproxy")
    for version in ("v4", "v6"):
        assert result[version] == {"said": "answered", "secret_on": ["near"], "tls_on": ["far"]}
    assert [(line["reason"], line["upstream"], host_of(line["client"]))
            for line in result["lines"]] \
        == [("done", f"{V4}:9142", "198.51.100.2"), ("done", f"[{V6}]:9142", "2001:db8:1::2")]


@needs_hosts
def test_behind_a_wildcard_who_is_redirected_is_told_from_who_is_not():
    result = run("wildcard")
    assert result["redirected"] == ["answered"] * 2
    assert [line["upstream"] for line in result["lines"]] == [f"{V4}:9142", f"[{V6}]:9142"]
    assert "answered" not in result["direct"]
    assert [line["reason"] for line in result["direct_lines"]] == ["not-redirected"] * 2


@needs_hosts
def test_strangers_are_told_apart_where_their_addresses_can_be_bound_to():
    result = run("nonlocal_bind")
    assert "answered" not in (result["v4"]["said"], result["v6"]["said"])
    assert [line["reason"] for line in result["lines"]] == ["plaintext-refused"] * 2


@needs_hosts
def test_the_certificate_must_have_the_address_that_was_dialled():
    result = run("misnamed")
    assert result["said"][0] == "answered" != result["said"][1]
    assert (result["server"], result["cause"]) == (f"[{V6}]:9042", "server-name-mismatch")


@needs_hosts
def test_a_rule_that_does_not_spare_us_makes_no_endless_loop():
    result = run("loop")
    assert result["said"] != "answered"
    assert result["upstream"] == f"{V4}:9042"
    assert result["turns"] < 100        # two workers: each turn ends it with a chance of a half


ORIGINATE = """
[trust t]
ca = {ca}
[route out]
mode = originate
transparent = on
listen = 127.0.0.1:0
upstream = u
[upstream u]
server = original
tls_trust = t
"""


def test_without_the_right_the_start_says_that_tproxy_does_nothing(certs, open_folder):
    conf = open_folder / "sallyport.conf"
    ca = open_folder / "ca.crt"
    ca.write_bytes(certs.ca.cert.read_bytes())
    conf.write_text(ORIGINATE.format(ca=ca))
    who = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    explained = run_command("explain", "-c", conf, "--listen", "127.0.0.1:0").stdout
    assert "where the client wanted to go" in explained
    assert "verified by [trust t] as the address that it went to" in explained

    gate = Gate(["serve", "-c", conf], **who)
    try:
        # Nobody redirected it, and it is served all the same: refused, that is.
        with socket.create_connection(gate.address) as c:
            with pytest.raises(ConnectionResetError):
                c.recv(1)
        gate.await_access(reason="not-redirected")
    finally:
        gate.close()
    assert "hands out no connections by TPROXY" in gate.text()
