"""How it says that it is: /status.json, /metrics, /readyz and `sallyport status`."""

import contextlib
import datetime
import fcntl
import json
import os
import pty
import re
import shutil
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from harness import client, gate as gate_module, tools
from harness.origin import echo
from harness.waiting import PATIENCE, readable, until


class Admin:
    """What a Gate with a Unix socket for its admin endpoints answers."""

    def __init__(self, proxy, path):
        self.proxy, self.path = proxy, path
        until("the monitor answers", lambda: self.get("/healthz")[0] == 200)

    def get(self, path, *args):
        done = tools.run("curl", "-s", "-w", "\n%{http_code}", "--unix-socket", self.path, *args,
                         f"http://localhost{path}")
        body, _, status = done.stdout.rpartition("\n")
        return int(status or 0), body

    def status(self):
        code, body = self.get("/status.json")
        assert code == 200
        return json.loads(body)

    def route(self, name="main"):
        return {r["route"]: r for r in self.status()["routes"]}[name]

    def metrics(self):
        """{'name{labels}': value}"""
        code, body = self.get("/metrics")
        assert code == 200
        lines = [line for line in body.splitlines() if not line.startswith("#")]
        found = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}
        assert len(found) == len(lines), "two series with the same labels"
        return found


@pytest.fixture
def admin(gate, origin, open_folder):
    """admin(upstream, …): a Gate, with .admin"""
    def start(upstream=None, proxy=None, make=gate, **kwargs):
        sock = open_folder / "admin.sock"
        made = make(upstream or origin(echo).address,
                    proxy={"admin": f"unix:{sock}", **(proxy or {})}, **kwargs)
        made.admin = Admin(made, sock)
        return made
    return start


def echo_once(proxy, certs, data=b"hello", **how):
    with client.Careful(proxy.address, certs, **how) as c:
        c.handshake()
        c.send(data)
        assert c.receive(len(data)) == data


def until_is(what, question, expected):
    """For what is counted a moment after a client sees it."""
    got = []

    def same():
        got[:] = [question()]
        return got[0] == expected
    try:
        until(what, same)
    except AssertionError:
        assert got[0] == expected, what


# --- routes ---

def test_bytes_are_counted_while_a_connection_lives(admin, certs):
    proxy = admin()
    with client.Careful(proxy.address, certs) as c:
        c.handshake()
        c.send(b"x" * 1000)
        assert len(c.receive(1000)) == 1000
        until_is("the bytes", lambda: proxy.admin.route()["bytes_to_clients"], 1000)
        route = proxy.admin.route()
        assert (route["bytes_from_clients"], route["connections_open"]) == (1000, 1)
        assert (route["connections"], route["handshakes"], route["ended"]) == (0, 1, {})
    until_is("its end", lambda: proxy.admin.route()["connections_open"], 0)
    route = proxy.admin.route()
    assert (route["connections"], route["refused"]) == (1, 0)
    assert route["ended"] == {"client-cut": 1}


def test_refusals_have_their_reasons(admin, certs):
    proxy = admin("127.0.0.1:1", client_auth="require")
    with client.dial(proxy.address) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        while sock.recv(4096):
            pass
    with pytest.raises(Exception):
        echo_once(proxy, certs)
    with pytest.raises(Exception):
        echo_once(proxy, certs, client=certs.client)
    until_is("three ends", lambda: proxy.admin.route()["connections"], 3)
    route = proxy.admin.route()
    assert route["ended"] == {"handshake-failed": 2, "upstream-refused": 1}
    assert route["refused"] == 3
    assert route["handshakes_failed"] == {"plain-http": 1, "no-client-certificate": 1}
    metrics = proxy.admin.metrics()
    assert metrics['sallyport_connections_total{route="main",reason="upstream-refused"}'] == 1
    assert metrics['sallyport_handshakes_total{route="main",version="unknown",resumed="false",'
                   'result="plain-http"}'] == 1
    assert metrics['sallyport_accepts_total{listener="127.0.0.1:0",result="accepted"}'] == 3


def test_routes_that_share_a_listener_are_counted_apart(admin, config, sallyport, certs, origin):
    """And each connection once, though it belongs to the default route until it has asked."""
    upstream = origin(echo).address

    def make(upstream, **kwargs):
        sections = config(upstream, **kwargs)
        sections["route other"] = {**sections["route main"], "sni": "other.example"}
        return sallyport(sections)

    proxy = admin(upstream, make=make)
    with client.Careful(proxy.address, certs, name="other.example", check=False) as c:
        c.handshake()
        c.send(b"abc")
        assert c.receive(3) == b"abc"
        until_is("other", lambda: proxy.admin.route("other")["connections_open"], 1)
        assert proxy.admin.route("main")["connections_open"] == 0
    echo_once(proxy, certs)
    until_is("main", lambda: proxy.admin.route("main")["connections"], 1)
    until_is("other", lambda: proxy.admin.route("other")["connections"], 1)
    assert proxy.admin.route("other")["bytes_to_clients"] == 3


def test_what_was_counted_stays_over_reloads_and_the_death_of_a_worker(admin, certs):
    proxy = admin(proxy={"workers": 2})
    echo_once(proxy, certs)
    until_is("the end", lambda: proxy.admin.route()["connections"], 1)
    with client.Careful(proxy.address, certs) as c:
        c.handshake()
        c.send(b"abc")
        assert c.receive(3) == b"abc"
        until_is("open", lambda: proxy.admin.route()["connections_open"], 1)
        victim = next(w["pid"] for w in proxy.admin.status()["workers"] if w["connections_open"])
        os.kill(victim, signal.SIGKILL)
        until_is("it is replaced", lambda: proxy.admin.status()["worker_restarts"], 1)
    assert proxy.admin.route()["connections_open"] == 0
    assert victim not in [w["pid"] for w in proxy.admin.status()["workers"]]
    proxy.signal(signal.SIGHUP)
    proxy.await_message("^reload done$")
    until_is("the reload", lambda: proxy.admin.status()["generation"], 2)
    assert proxy.admin.route()["connections"] == 1
    metrics = proxy.admin.metrics()
    assert metrics["sallyport_worker_restarts_total"] == 1
    assert metrics["sallyport_workers"] == 2
    assert metrics["sallyport_generation"] == 2
    assert metrics['sallyport_reloads_total{result="ok"}'] == 1


def test_the_soonest_end_of_a_client_certificate(admin, certs):
    proxy = admin(client_auth="require")
    assert proxy.admin.route()["client_certificate_not_after"] is None
    echo_once(proxy, certs, client=certs.client)
    until("it is seen", lambda: proxy.admin.route()["client_certificate_not_after"])
    seen = proxy.admin.metrics()['sallyport_client_certificate_not_after_seconds{route="main"}']
    assert 27 * 86400 < seen - time.time() < 30 * 86400


# --- certificates, and what is wrong ---

def test_a_failed_reload_is_told_everywhere_alike_until_it_is_mended(admin, certs, tmp_path):
    key = tmp_path / "node.key"
    shutil.copy(certs.server.key, key)
    proxy = admin(store={"cert": certs.server.cert, "key": key})
    assert proxy.admin.status()["last_reload"] is None
    key.write_text("no key\n")
    proxy.await_message("^reload failed: generation 1 stays in force$")
    until_is("a failure", lambda: proxy.admin.status()["reloads"], {"ok": 0, "failed": 1})
    last = proxy.admin.status()["last_reload"]
    assert (last["ok"], last["generation"]) == (False, 1)
    assert last["findings"][0]["file"] == str(proxy.path)
    assert "is neither PEM nor DER" in last["findings"][0]["message"]
    metrics = proxy.admin.metrics()
    assert metrics["sallyport_config_last_reload_successful"] == 0
    assert metrics['sallyport_reloads_total{result="failed"}'] == 1
    good = metrics["sallyport_config_last_reload_success_timestamp_seconds"]
    assert time.time() - 300 < good <= time.time()
    said = gate_module.run("status", "-c", proxy.path).stdout
    assert "FAILED" in said and "is neither PEM nor DER" in said
    assert proxy.admin.get("/readyz") == (200, "ready\n"), "what is in force is served"

    shutil.copy(certs.server.key, key)
    until_is("mended", lambda: proxy.admin.status()["last_reload"]["mended"], True)
    assert proxy.admin.metrics()["sallyport_config_last_reload_successful"] == 1
    said = gate_module.run("status", "-c", proxy.path).stdout
    assert "failed, and is mended" in said and "neither" not in said
    assert proxy.admin.status()["last_reload"]["changes"] == []


def test_not_ready_without_a_valid_certificate(admin, certs):
    old = certs.issue("status-old", "localhost", usage="serverAuth",
                      dates=("20200101000000Z", "20210101000000Z"))
    proxy = admin(store={"cert": old.cert, "key": old.key, "expired": "serve"})
    assert proxy.admin.get("/readyz") \
        == (503, "route main: no certificate of store node is valid\n")
    assert proxy.admin.status()["not_ready"] \
        == ["route main: no certificate of store node is valid"]
    assert proxy.admin.get("/healthz")[0] == 200
    [leaf] = proxy.admin.status()["stores"][0]["certificates"]
    assert leaf["state"] == "expired" and leaf["days_left"] < -1000
    done = gate_module.run("status", "-c", proxy.path)
    assert done.returncode == 1 and done.stdout.startswith("sallyport ")
    assert "NOT READY" in done.stdout.splitlines()[0]


def test_not_ready_while_it_drains(admin, certs):
    proxy = admin()
    with client.Careful(proxy.address, certs) as c:
        c.handshake()
        c.send(b"x")
        assert c.receive(1) == b"x"
        proxy.signal(signal.SIGTERM)
        until_is("not ready", lambda: proxy.admin.get("/readyz"), (503, "it is draining\n"))
        assert proxy.admin.status()["state"] == "draining"
    assert proxy.wait() == 0


def self_signed(folder, name, cn, serial, days):
    """A pair for localhost in a file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.utcnow()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, cn)])
    cert = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
            .public_key(key.public_key()).serial_number(serial)
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=days, hours=12))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
            .sign(key, hashes.SHA256()))
    pem = serialization.Encoding.PEM
    (folder / f"{name}.pem").write_bytes(cert.public_bytes(pem) + key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


def test_a_good_reload_is_told_with_what_it_changed(admin, tmp_path):
    folder = tmp_path / "certs.d"
    folder.mkdir()
    self_signed(folder, "one.example", "one", 7, 30)
    proxy = admin(store={"dir": folder})
    self_signed(folder, "one.example", "one", 8, 60)
    until_is("a reload", lambda: proxy.admin.status()["reloads"], {"ok": 1, "failed": 0})
    change, = proxy.admin.status()["last_reload"]["changes"]
    assert (change["level"], change["section"]) == ("note", "store node")
    assert "CN=one replaced: serial 07 -> 08" in change["message"]
    said = gate_module.run("status", "-c", proxy.path).stdout
    assert "The last reload changed:\n" in said and change["message"] in said
    proxy.path.write_text(proxy.path.read_text() + "listne = 127.0.0.1:0\n")
    proxy.signal(signal.SIGHUP)
    proxy.await_message("^reload failed")
    until_is("a failure", lambda: proxy.admin.status()["reloads"], {"ok": 1, "failed": 1})
    assert proxy.admin.status()["last_reload"]["changes"] == []


def test_hostile_names_and_the_same_labels_twice(admin, tmp_path):
    """A subject that wants out of its quotes; two issuers with one name and one number."""
    evil = 'a"} 1\nsallyport_evil 1 # \\ <b>\u202e'
    folder = tmp_path / "certs.d"
    folder.mkdir()
    self_signed(folder, "one.example", evil, 7, 30)
    self_signed(folder, "two.example", evil, 7, 40)
    proxy = admin(store={"dir": folder})
    leaves = proxy.admin.status()["stores"][0]["certificates"]
    assert sorted(c["days_left"] for c in leaves) == [30, 40]
    assert {c["serial"] for c in leaves} == {"07"}
    ends = {k: v for k, v in proxy.admin.metrics().items() if "certificate_not_after" in k}
    [(series, end)] = ends.items()
    assert 'serial="07"' in series and r'\"' in series
    assert 30 * 86400 < end - time.time() < 31 * 86400, "the sooner one"


def test_a_scrape_is_what_prometheus_takes(admin, certs):
    tools.need("promtool")
    proxy = admin("127.0.0.1:1", upstream_keys={"check": "tcp"}, client_auth="require")
    with pytest.raises(Exception):
        echo_once(proxy, certs, client=certs.client)
    until("the check", lambda: "sallyport_upstream_up" in proxy.admin.get("/metrics")[1]
          .replace("# HELP sallyport_upstream_up", "").replace("# TYPE sallyport_upstream_up", ""))
    code, body = proxy.admin.get("/metrics")
    done = tools.run("promtool", "check", "metrics", stdin=body)
    assert done.returncode == 0 and not done.stderr, done.stderr
    metrics = proxy.admin.metrics()
    assert metrics['sallyport_upstream_up{upstream="app",server="127.0.0.1:1"}'] == 0
    assert metrics["sallyport_handshake_seconds_count"] == 1
    assert metrics['sallyport_handshake_seconds_bucket{le="+Inf"}'] == 1
    below = [v for k, v in metrics.items() if k.startswith("sallyport_handshake_seconds_bucket")]
    assert below == sorted(below)
    head = proxy.admin.get("/metrics", "-i")[1]
    assert "Content-Type: text/plain; version=0.0.4; charset=utf-8" in head


def test_the_monitor_can_only_read_what_is_counted(admin):
    proxy = admin()
    maps = open(f"/proc/{proxy.monitor()}/maps").read()
    mine = [line for line in maps.splitlines() if "memfd:accounts" in line]
    assert mine and all(" r--s " in line for line in mine), mine
    links = [os.readlink(f"/proc/{proxy.monitor()}/fd/{n}") for n in
             os.listdir(f"/proc/{proxy.monitor()}/fd")]
    assert not any("memfd:accounts" in link for link in links), links


# --- at the command line ---

def test_status_as_lines_and_as_json(admin, certs):
    proxy = admin()
    echo_once(proxy, certs, b"x" * 2000)
    until_is("the end", lambda: proxy.admin.route()["connections"], 1)
    done = gate_module.run("status", "-c", proxy.path)
    assert done.returncode == 0, done.stderr
    first = done.stdout.splitlines()[0]
    assert "ready" in first and "NOT" not in first and f"process {proxy.pid}" in first
    assert re.search(r"^main +0 +1 +0 .* 2\.0kB +2\.0kB ", done.stdout, re.M), done.stdout
    assert re.search(r"^ *2[89]  fine +store node +CN=localhost", done.stdout, re.M), done.stdout
    done = gate_module.run("status", "--json", "--admin", f"unix:{proxy.admin.path}")
    assert json.loads(done.stdout)["routes"][0]["connections"] == 1


def test_status_by_a_tcp_address_and_by_none(gate, origin):
    proxy = gate(origin(echo).address, proxy={"admin": "127.0.0.1:0"})
    where = proxy.await_message(r"^admin on 127\.0\.0\.1:")["message"].split()[-1]
    proxy.monitor()
    assert gate_module.run("status", "--admin", where).returncode == 0
    done = gate_module.run("reload", "--admin", where, "-c", proxy.path)
    assert done.returncode == 1 and "no admin address is a Unix socket" in done.stderr
    assert str(proxy.path) not in done.stderr, "the command line named it"
    done = gate_module.run("status", "--admin", "unix:/nonexistent/x")
    assert done.returncode == 1 and "is it running?" in done.stderr
    bare = gate(origin(echo).address)
    done = gate_module.run("status", "-c", bare.path)
    assert done.returncode == 1 and "there is no admin address" in done.stderr
    done = gate_module.run("status", "-c", "/nonexistent/x.conf")
    assert done.returncode == 1 and "there is no admin address" not in done.stderr
    assert "x.conf: error: no such file" in done.stderr and "--admin" in done.stderr


def test_status_of_something_else(origin):
    """Another program's port, that of an old web server say."""
    def old(conn):
        conn.recv(4096)
        conn.sendall(b"HTTP/1.0 404 Not Found\r\n\r\n")
    done = gate_module.run("status", "--admin", origin(old).address)
    assert done.returncode == 1 and "what answered is no admin address" in done.stderr


def in_terminal(*args):
    """A program in a terminal of 24 rows and 60 columns: (process, its terminal)."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    process = subprocess.Popen([gate_module.SALLYPORT, *map(str, args)], stdin=theirs,
                               stdout=theirs, stderr=theirs, env=gate_module.environment())
    os.close(theirs)
    return process, ours


def read_until(terminal, mark):
    got = b""
    while mark not in got:
        assert readable(terminal, PATIENCE), got
        got += os.read(terminal, 65536)
    return got


def test_watch_is_a_screen_that_goes_away(admin, certs):
    proxy = admin()
    process, terminal = in_terminal("status", "--watch", "-c", proxy.path)
    try:
        screen = read_until(terminal, b"q ends")
        assert b"\033[?1049h" in screen and b"connections  0 open" in screen
        for line in re.sub(rb"\033\[[?0-9;]*[a-zA-Z]", b"", screen).split(b"\r\n"):
            assert len(line.decode()) <= 60, line
        with client.Careful(proxy.address, certs) as c:
            c.handshake()
            read_until(terminal, b"connections  1 open")
        os.write(terminal, b"q")
        assert b"\033[?1049l" in read_until(terminal, b"\033[?1049l")
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


def test_watch_shows_the_whole_reason_of_a_failed_reload(admin, certs, tmp_path):
    """A table is cut at the edge, what is wrong and how to mend it is not."""
    key = tmp_path / "node.key"
    shutil.copy(certs.server.key, key)
    proxy = admin(store={"cert": certs.server.cert, "key": key})
    key.write_text("no key\n")
    proxy.await_message("^reload failed: generation 1 stays in force$")
    process, terminal = in_terminal("status", "--watch", "-c", proxy.path)
    try:
        screen = re.sub(rb"\033\[[?0-9;]*[a-zA-Z]", b"", read_until(terminal, b"q ends"))
        rows = screen.decode().split("\r\n")
        assert all(len(row) <= 60 for row in rows), rows
        told = gate_module.run("status", "-c", proxy.path).stdout.splitlines()
        (error,) = [line for line in told if ": error: " in line]
        assert len(error) > 60 and error.endswith(")")
        assert error in "".join(rows), rows
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


def test_watch_without_a_terminal_goes_on_when_the_gate_is_gone(admin):
    proxy = admin()
    with subprocess.Popen([gate_module.SALLYPORT, "status", "--watch", "-c", proxy.path],
                          stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                          env=gate_module.environment()) as process:
        try:
            assert "ready" in process.stdout.readline()
            proxy.close()
            for line in process.stdout:
                if "cannot connect" in line:
                    break
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


# --- under load ---

def test_who_asks_all_the_time_gets_what_was_written_a_moment_ago(admin, certs):
    """A monitor that is asked without a break answers, and the answers go on being true."""
    proxy = admin()
    stop = threading.Event()

    def flood():
        while not stop.is_set():
            with contextlib.suppress(OSError), client.dial(str(proxy.admin.path)) as sock:
                sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
                while sock.recv(65536):
                    pass

    threads = [threading.Thread(target=flood, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for n in range(1, 6):
            echo_once(proxy, certs)
            until_is("the end", lambda: proxy.admin.route()["connections"], n)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_what_an_answer_holds_does_not_command_the_terminal(tmp_path):
    """The monitor speaks with strangers: one that was broken into answers what it likes."""
    where = tmp_path / "admin"
    body = b"sally\x1b]0;port\x07 \xc2\x9b31m\tz\xc3\xb6e\x7f\nend\n"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    def serve(listener):
        for _ in range(2):              # the text, and whether it is ready
            peer = listener.accept()[0]
            with peer:
                peer.recv(4096)
                peer.sendall(answer)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(where))
        listener.listen()
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        done = subprocess.run([gate_module.SALLYPORT, "status", "--admin", f"unix:{where}"],
                              capture_output=True, timeout=PATIENCE, check=False)

    assert done.stdout == b"sally?]0;port? ??31m?z\xc3\xb6e?\nend\n", done


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "0.0.0.0:0", "[::]:0"])
def test_a_page_in_a_browser_here_reads_nothing(gate, origin, listen):
    """By a name of its own, which it lets point to our loopback."""
    proxy = gate(origin(echo).address, proxy={"admin": listen})
    port = proxy.await_message(r"^admin on ")["message"].rpartition(":")[2]
    here = "[::1]" if listen.startswith("[") else "127.0.0.1"
    proxy.monitor()

    def code(*args, path="/status.json"):
        return tools.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", *args,
                         f"http://{here}:{port}{path}").stdout

    assert code() == "200"
    assert code("-H", "Host: localhost") == "200"
    assert code("-H", "Host: page.example") == "403"
    assert code("-H", "Origin: http://page.example") == "403"
