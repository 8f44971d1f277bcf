"""Presets: `dump` and `check` of each, as a user would write it, and what two of them are for:
a client of an old Flink, and one of etcd."""

import pathlib
import re

import pytest

from harness import client, tools
from harness.gate import render, run
from harness.origin import echo

TABLE = (pathlib.Path(__file__).parents[2] / "src" / "conf" / "presets.tbl").read_text()
NAMES = re.findall(r'^PRESET\("([^"]+)"', TABLE, flags=re.M)


def rows(name):
    """[(key, value)] that the preset fills, as the table has them."""
    text = r'("[^"]*"(?:\s*"[^"]*")*)'
    found = re.findall(rf'^(?:FILLS|WEAKENS)\("{name}", \w+, (\w+),\s*{text}', TABLE, flags=re.M)
    return [(key.lower(), re.sub(r'"\s*"', "", value).strip('"')) for key, value in found]


def mutual(name):
    return ("client_auth", "require") in rows(name)


@pytest.fixture
def written(certs, tmp_path):
    """written(preset, **keys of the route): the path of a configuration with it."""
    def write(preset, mode="terminate", **route):
        asks = mutual(preset) and mode != "originate"
        sections = {
            "route main": {"mode": mode, "listen": "127.0.0.1:0", "upstream": "service",
                           "trust": "ca" if asks else None, "preset": preset, **route},
            "upstream service": {"server": "127.0.0.1:9",
                                 "tls_trust": "ca" if mode != "terminate" else None},
        }
        if asks or mode != "terminate":
            sections["trust ca"] = {"ca": certs.ca.cert}
        if mode != "originate":
            sections["route main"]["store"] = "node"
            sections["store node"] = {"cert": certs.server_rsa.cert, "key": certs.server_rsa.key}
        path = tmp_path / "sallyport.conf"
        path.write_text(render(sections))
        return path

    return write


def test_there_are_the_services_of_the_manual():
    assert len(NAMES) == len(set(NAMES)) >= 21


@pytest.mark.parametrize("mode, without", [("terminate", "tls_alpn"), ("bridge", "check")])
@pytest.mark.parametrize("name", NAMES)
def test_dump_says_what_it_set(written, name, mode, without):
    dump = run("dump", "-c", written(name, mode))
    assert dump.returncode == 0, dump.stderr
    expected = [row for row in rows(name) if row[0] != without]
    for key, value in expected:
        lines = re.findall(rf"^{key} = (.*?) +; preset {name}$", dump.stdout, flags=re.M)
        joined = (":" if key == "ciphers" else ", ").join(lines)
        assert joined == value
    filled = set(re.findall(rf"^(\w+) = .*; preset {name}$", dump.stdout, flags=re.M))
    assert filled == {key for key, _ in expected}


@pytest.mark.parametrize("mode", ["terminate", "originate", "bridge"])
@pytest.mark.parametrize("name", NAMES)
def test_it_passes_check(written, name, mode):
    check = run("check", "-c", written(name, mode))
    assert check.returncode == 0, check.stderr
    weaker = 'preset = "flink-rest": ciphers is weakened'
    assert (weaker in check.stderr + check.stdout) == \
        (name == "flink-rest" and mode != "originate")


def test_what_is_written_wins(written):
    dump = run("dump", "-c", written("etcd", alpn="http/1.1")).stdout
    assert re.search(r"^alpn = http/1\.1 +; .*sallyport\.conf:\d+$", dump, flags=re.M)
    assert re.findall(r"^(\w+) = .*; preset etcd$", dump, flags=re.M) == ["check"]


def test_an_unknown_one_is_told_the_nearest(written):
    path = written("etcd")
    path.write_text(path.read_text().replace("preset = etcd", "preset = ectd"))
    check = run("check", "-c", path)
    assert check.returncode == 1
    assert 'did you mean "etcd"? there are pravega-controller, ' in check.stderr + check.stdout


def test_a_flag_does_the_same(certs):
    args = ["--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:9", "--cert", certs.server.cert,
            "--key", certs.server.key, "--preset"]
    assert re.search(r"^alpn = h2 +; preset medusa$", run("dump", *args, "medusa").stdout,
                     flags=re.M)
    refused = run("dump", *args, "dask-worker")
    assert refused.returncode == 1
    assert "preset dask-worker asks for them: name a file with the issuers to believe: --ca" \
        in refused.stderr


def old_flink(proxy, certs):
    """What openssl prints that offers what a Flink up to 2.2 does, and its exit code."""
    return tools.converse("openssl", "s_client", "-connect", "%s:%d" % proxy.address, "-tls1_2",
                          "-cipher", "AES128-SHA", "-CAfile", certs.ca.cert,
                          "-verify_return_error", "-no_ign_eof", send=b"ping\n",
                          expect=b"\nping\n")


def rsa(certs):
    return {"cert": certs.server_rsa.cert, "key": certs.server_rsa.key}


def test_an_old_flink_client_is_served(gate, origin, certs):
    proxy = gate(origin(echo).address, store=rsa(certs), preset="flink-rest")
    said, code = old_flink(proxy, certs)
    assert code == 0, said
    assert proxy.await_access(bytes_in=5)["suite"] == "AES128-SHA"

    # Whoever has something better gets that.
    assert client.outcome(proxy.address, certs, version=client.TLS12, alpn=["http/1.1"],
                          ciphers="AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256") == "ok"
    assert proxy.await_access(alpn="http/1.1")["suite"] == "ECDHE-RSA-AES128-GCM-SHA256"


def test_without_the_preset_it_is_not(gate, origin, certs):
    proxy = gate(origin(echo).address, store=rsa(certs))
    assert old_flink(proxy, certs)[1] != 0
    proxy.await_access(reason="handshake-failed", cause="no-shared-suite")


@pytest.mark.parametrize("offered, agreed", [(["h2"], "h2"), (["h2", "http/1.1"], "h2"),
                                             (["http/1.1"], "http/1.1"), (None, None)])
def test_etcd_speaks_grpc_and_http(gate, origin, certs, offered, agreed):
    proxy = gate(origin(echo).address, preset="etcd")
    with client.Careful(proxy.address, certs, alpn=offered).handshake() as c:
        assert c.tls.selected_alpn_protocol() == agreed
        c.end()
    assert proxy.await_access(reason="done").get("alpn") == agreed
