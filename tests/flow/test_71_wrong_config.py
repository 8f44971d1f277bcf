"""Every rule of the file broken once: one error with file, line, key, value, reason and hint."""

import json
import os
import re

import pytest

from harness import findings, gate
from harness.gate import render

# The line is put into that section of a good configuration, in place of its like if there is
# one; the error that this makes is on that line, and says this.
LINES = {
    "unknown key": ("route", "lisen = 127.0.0.1:1", r"unknown key .*\"listen\""),
    "key of another section": ("route", "connect_timeout = 1s", r"unknown key .*\[upstream"),
    "no equals sign": ("route", "idle_timeout 5s", r"key = value.*\"idle_timeout = 5s\""),
    "duration without unit": ("route", "idle_timeout = 5", r"unit .*\"5s\""),
    "duration of nonsense": ("route", "idle_timeout = soon", r"not a duration"),
    "misspelt choice": ("route", "client_auth = requird", r"none, request, require.*\"require\""),
    "unknown protocol": ("route", "protocols = TLSv1.2, SSLv3", r"TLSv1\.2, TLSv1\.3"),
    "cipher that is none": ("route", "ciphers = NO-SUCH-CIPHER", r"NO-SUCH-CIPHER"),
    "suite that is none": ("route", "ciphersuites = TLS_NO_SUCH_SUITE", r"TLS_NO_SUCH_SUITE"),
    "group that is none": ("route", "groups = P-257", r"P-257"),
    "no such trust": ("route", "trust = nobody", r"no \[trust nobody\]"),
    "client_auth without trust": ("route", "client_auth = require", r"trust"),
    "address without a port": ("route", "listen = 127.0.0.1", r"port"),
    "port too large": ("route", "listen = 127.0.0.1:65536", r"65535|port"),
    "a name as address": ("route", "listen = example.com:443", r"name"),
    "address listed twice": ("route", "listen = 127.0.0.3:0\nlisten = 127.0.0.3:0", r"twice"),
    "scalar given twice": ("route", "mode = terminate\nmode = terminate", r"line \d+ already"),
    "workers of nonsense": ("proxy", "drain_timeout = -1s", r"not a duration"),
    "switch of nonsense": ("proxy", "access_log = maybe", r"off, on"),
    "log level of nonsense": ("proxy", "log_level = loud", r"error, warn, info, debug"),
    "log file nowhere": ("proxy", "log = /no/such/folder/log", r"[Nn]o such file"),
    "user of nonsense": ("proxy", "user = not a name", r"not the name or number of a user"),
    "number too large": ("proxy", "workers = 100000", r"whole number|from|range"),
    "section head not closed": ("upstream", "[upstream u", r"the \]"),
    "unknown section": ("proxy", "[rout x]", r"unknown section.*route"),
    "section without a name": ("proxy", "[route]", r"name"),
    "section name too long": ("route", "[route " + "x" * 41 + "]", r"40 characters"),
    "line too long": ("proxy", "user = " + "x" * 300, r"bytes"),
    "remote plaintext": ("upstream", "server = 192.0.2.1:80", r"plaintext.*192\.0\.2\.1"),
    "upstream on port 0": ("upstream", "server = 127.0.0.1:0", r"port 0"),
    "unknown builtin": ("upstream", "server = builtin:cake", r"builtin:page"),
    "timeout of nonsense": ("upstream", "connect_timeout = 0s", r"range|duration"),
    "depth of nonsense": ("trust", "depth = deep", r"whole number"),
}


def with_line(certs, section, line):
    """That file, and the number of the (last) line that was put in."""
    sections = {
        "proxy": ["workers = 1"],
        "store": [f"cert = {certs.server.cert}", f"key = {certs.server.key}"],
        "trust": [f"ca = {certs.ca.cert}"],
        "upstream": ["server = 127.0.0.1:9"],
        "route": ["listen = 127.0.0.1:0", "store = s", "upstream = u"],
    }
    heads = {"proxy": "[proxy]", "store": "[store s]", "trust": "[trust t]",
             "upstream": "[upstream u]", "route": "[route r]"}
    if line.startswith("[") and section != "proxy":
        heads[section], line = line, None
    key = line.partition(" = ")[0] if line else None
    if key in ("server", "workers"):
        sections[section] = [s for s in sections[section] if not s.startswith(key)]
    if section == "trust":
        sections["route"].append("trust = t")
    else:
        del sections["trust"]
    out, number = [], 0
    for name, lines in sections.items():
        out += [heads[name], *lines]
        if name == section:
            number = len(out) - len(lines)
            if line:
                out += line.split("\n")
                number = len(out)
    return "\n".join(out) + "\n", number


@pytest.mark.parametrize("case", LINES)
def test_wrong_line(certs, tmp_path, case):
    section, line, words = LINES[case]
    text, number = with_line(certs, section, line)
    path = tmp_path / "wrong.conf"
    path.write_text(text)
    error = findings.only_error(path)
    assert error.startswith(f"{path}:{number}: error: "), error
    key = re.match(r"(\w+) = ", line)
    assert key is None or key[1] in error, error
    assert re.search(words, error), error


def test_nobody_of_that_name(certs, tmp_path):
    """An error for root, who would change to it; nobody else can, and is told so."""
    text, number = with_line(certs, "proxy", "user = no_such_user")
    path = tmp_path / "wrong.conf"
    path.write_text(text)
    if os.getuid() == 0:
        line = findings.only_error(path)
    else:
        done = gate.run("check", "-c", path)
        assert done.returncode == 0
        line, = [s for s in done.stdout.splitlines() if "warning: " in s]
    assert line.startswith(f"{path}:{number}: ") and "no_such_user" in line


def test_all_errors_at_once(certs, tmp_path):
    path = tmp_path / "wrong.conf"
    path.write_text("[proxy]\nworkers = many\nlog_level = loud\n[route r]\nlisten = nowhere\n"
                    "colour = red\n")
    lines = findings.judge(path)
    for number, word in ((2, "many"), (3, "loud"), (5, "nowhere"), (6, "colour")):
        assert any(s.startswith(f"{path}:{number}: error: ") and word in s for s in lines), lines


def test_two_routes_on_one_address(config, certs, tmp_path):
    sections = config("127.0.0.1:9", listen="127.0.0.1:4433")
    sections["route other"] = dict(sections["route main"])
    path = tmp_path / "wrong.conf"
    path.write_text(render(sections))
    error = findings.only_error(path)
    assert "127.0.0.1:4433" in error and "[route other]" in error and "[route main]" in error


@pytest.mark.parametrize("text, words", [
    ("", "empty"), ("; nothing\n", "no route"), ("[proxy]\nworkers = 1\n", "no route")])
def test_nothing_to_do(tmp_path, text, words):
    path = tmp_path / "wrong.conf"
    path.write_text(text)
    assert words in findings.only_error(path)


def test_no_such_file(tmp_path):
    error = findings.only_error(tmp_path / "nowhere.conf")
    assert "nowhere.conf" in error and "no such file" in error


def test_an_address_that_is_taken(config, origin, tmp_path):
    """Only `serve` can see this one."""
    taken = origin().address
    path = tmp_path / "wrong.conf"
    path.write_text(render(config("127.0.0.1:9", listen=taken)))
    done = gate.run("serve", "-c", path)
    assert done.returncode == 1
    errors = [s for s in done.stderr.splitlines() if "error: " in s]
    assert len(errors) == 1 and taken in errors[0] and "in use" in errors[0], done.stderr


def test_check_as_json(certs, tmp_path):
    path = tmp_path / "wrong.conf"
    text, number = with_line(certs, "route", "client_auth = requird")
    path.write_text(text)
    done = gate.run("check", "--json", "-c", path)
    assert done.returncode == 1
    found = json.loads(done.stdout)
    found = found["findings"] if isinstance(found, dict) else found
    error, = [f for f in found if f["level"] == "error"]
    assert (error["file"], error["line"], error["key"]) == (str(path), number, "client_auth")
    assert error["value"] == "requird" and "require" in error["hint"]


@pytest.mark.parametrize("args, code", [
    (["--help"], 0), (["--version"], 0), (["serve", "--help"], 0), (["tunnel", "--help"], 0),
    (["check", "--help"], 0), (["dump", "--help"], 0), (["help", "keys"], 0),
    (["help", "presets"], 0), (["help", "kyes"], 2), ([], 2), (["sevre"], 2),
    (["serve", "--lisen", "x"], 2), (["check", "-c"], 2), (["tunnel", "1", "2", "3"], 2)])
def test_usage(args, code):
    done = gate.run(*args)
    assert done.returncode == code, done.stdout + done.stderr
    assert bool(done.stdout) == (code == 0)
    assert bool(done.stderr) == (code != 0)
