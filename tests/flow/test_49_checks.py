"""Checks: each kind against a service that speaks the protocol, and what follows from them."""

import collections
import os
import signal
import socket
import struct
import threading
import time

import pytest

from harness import broken_in, client, dask_cluster, gate as gates, procfs, tls_origin
from harness.origin import Origin, echo
from harness.services import Cql, Grpc, Web, ZooKeeper
from harness.succession import orphans_adopted, swap
from harness.waiting import until

QUICK = {"check_interval": "100ms", "check_timeout": "2s", "rise": 1, "fall": 1}


@pytest.fixture
def service():
    """service(Kind, …): one of the harness, closed at the end."""
    made = []

    def make(kind, *args, **kwargs):
        made.append(kind(*args, **kwargs))
        return made[-1]

    yield make
    for one in made:
        one.close()


def checked(gate, address, check, **keys):
    return gate(address, upstream_keys={"check": check, **QUICK, **keys})


def goes_down(proxy, why):
    line = proxy.await_message("^a server is down$")
    assert why in line["error"], line
    return line


def comes_up(proxy):
    return proxy.await_message("^a server is up$")


def free_port():
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock, "127.0.0.1:%d" % sock.getsockname()[1]


# --- the kinds ---

def test_tcp(gate):
    sock, address = free_port()
    with sock:
        proxy = checked(gate, address, "tcp")
        line = goes_down(proxy, "refused the connection")
        assert (line["upstream"], line["server"], line["level"]) == ("app", address, "warn")
        sock.listen()
        assert int(comes_up(proxy)["failures"]) >= 1


def test_http(gate, service):
    web = service(Web)
    proxy = checked(gate, web.address, "http GET /live?deep=1")
    until("it was asked", lambda: web.asked)
    web.status = 503
    goes_down(proxy, "answered HTTP 503")
    web.status = 302
    comes_up(proxy)
    assert set(web.asked) == {("/live?deep=1", web.address)}


def test_grpc_with_a_health_service(gate, service):
    pytest.importorskip("grpc")
    app = service(Grpc)
    proxy = checked(gate, app.address, "grpc")
    until("it was asked", lambda: app.calls)
    app.serving = False
    goes_down(proxy, "its health service says NOT_SERVING")
    app.serving = True
    comes_up(proxy)


def test_grpc_without_a_health_service(gate, service):
    pytest.importorskip("grpc")
    app = service(Grpc, health=False)
    proxy = checked(gate, app.address, "grpc")
    stays_up(proxy)
    app.close()
    goes_down(proxy, "refused the connection")


def stays_up(proxy, seconds=1.0):
    """Several checks go by, and none of them finds it down."""
    time.sleep(seconds)
    assert not proxy.says("^a server is down$"), proxy.text()


def test_grpc_is_not_what_a_web_server_speaks(gate, service):
    web = service(Web)
    goes_down(checked(gate, web.address, "grpc"), "not in HTTP/2")


def test_cql(gate, service):
    app = service(Cql)
    proxy = checked(gate, app.address, "cql")
    stays_up(proxy)
    app.error = 0x1002, "still joining"
    goes_down(proxy, "CQL error 1002: still joining")
    app.error = 0x000a, "Invalid or unsupported protocol version (4)"
    comes_up(proxy)


def test_zookeeper_by_its_words(gate, service):
    app = service(ZooKeeper)
    proxy = checked(gate, app.address, "zookeeper")
    stays_up(proxy)
    app.quorum = False
    goes_down(proxy, "not serving")
    app.quorum = True
    comes_up(proxy)
    assert app.sessions == 0


def test_zookeeper_by_a_session(gate, service):
    app = service(ZooKeeper, words=False)
    proxy = checked(gate, app.address, "zookeeper")
    until("sessions are begun and ended", lambda: app.ended >= 3)
    app.quorum = False
    goes_down(proxy, "closed without a session")
    app.quorum = True
    comes_up(proxy)
    assert app.sessions - app.ended <= 1


def test_dask(gate, tmp_path):
    pytest.importorskip("distributed")
    address = dask_cluster.services()[0]
    host, port = address.split(":")
    proxy = checked(gate, address, "dask")
    goes_down(proxy, "refused the connection")
    scheduler = dask_cluster.Node(tmp_path, "scheduler", "dask_scheduler",
                                  "--protocol", "tcp", "--host", host, "--port", port)
    try:
        proxy.await_message("^a server is up$", 60)
        os.kill(scheduler.process.pid, signal.SIGSTOP)
        goes_down(proxy, "timed out: Dask's greeting did not come within 2s")
        os.kill(scheduler.process.pid, signal.SIGCONT)
        comes_up(proxy)
    finally:
        os.kill(scheduler.process.pid, signal.SIGCONT)
        scheduler.close()


@pytest.mark.parametrize("check", ["tls", "http GET /"])
def test_of_tls_it_must_be_tls(gate, origin, service, check):
    """A plaintext service has no handshake for `tls`; and no TLS for `http`."""
    web = service(Web)
    if check == "tls":
        goes_down(checked(gate, web.address, check), "TLS: ")
    else:
        stays_up(checked(gate, web.address, check))


@pytest.mark.parametrize("peer", ["anybody", "only clients with a certificate"])
def test_tls(gate, origin, certs, peer):
    how = {} if peer == "anybody" else {"client": True}
    ctx = tls_origin.server_context(certs, **how)
    app = origin(tls_origin.OverTls(ctx, tls_origin.echo))
    proxy = checked(gate, app.address, "tls")
    stays_up(proxy)
    app.close()
    goes_down(proxy, "refused the connection")
    app.failures.clear()                # it met handshakes that ended at once


def test_where_we_originate_tls_checks_speak_it_too(sallyport, certs, origin):
    heard = []

    def web(tls):
        heard.append(tls.recv(4096))
        tls.sendall(b"HTTP/1.1 %d Said\r\n\r\n" % status[0])

    status = [200]
    app = origin(tls_origin.OverTls(tls_origin.server_context(certs), web))
    proxy = sallyport({
        "proxy": {"workers": 1},
        "trust servers": {"ca": certs.ca.cert},
        "upstream app": {"server": app.address, "tls_trust": "servers", "tls_name": "localhost",
                         "check": "http GET /over-tls", **QUICK},
        "route out": {"mode": "originate", "listen": "127.0.0.1:0", "upstream": "app"}})
    until("it was asked", lambda: heard)
    assert heard[0].startswith(b"GET /over-tls HTTP/1.1\r\n")
    stays_up(proxy, 0.3)
    status[0] = 500
    goes_down(proxy, "answered HTTP 500")


# --- what hangs ---

@pytest.mark.parametrize("check, why", [
    ("http GET /", "timed out: an HTTP answer did not come within 300ms"),
    ("cql", "timed out: SUPPORTED did not come within 300ms"),
    ("tls", "no TLS handshake within 300ms")])
def test_a_server_that_hangs(gate, origin, check, why):
    silent = origin()                   # takes connections, and says nothing
    goes_down(checked(gate, silent.address, check, check_timeout="300ms"), why)


def test_a_server_whose_queue_is_full(gate):
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(0)
    waiting = [socket.socket() for _ in range(4)]
    for one in waiting:
        one.setblocking(False)
        one.connect_ex(sock.getsockname())
    proxy = checked(gate, "127.0.0.1:%d" % sock.getsockname()[1], "tcp", check_timeout="300ms")
    goes_down(proxy, "no connection within 300ms")
    for one in [*waiting, sock]:
        one.close()


def test_a_server_that_closes(gate, origin):
    proxy = checked(gate, origin(lambda conn: conn.recv(9)).address, "cql")
    goes_down(proxy, "closed without SUPPORTED")


# --- what follows ---

def who(proxy, certs):
    with client.connect(proxy.address, certs) as tls:
        return tls.recv(1).decode()


def crowd(proxy, certs, times=8):
    return set(collections.Counter(who(proxy, certs) for _ in range(times)))


class Hanging(Origin):
    """Says its name; while it .hangs, HTTP is not answered."""

    def __init__(self, name):
        self.name, self.hangs, self.checks = name, False, 0
        super().__init__(self._serve_one)

    def _serve_one(self, conn):
        conn.settimeout(0.05)           # a client of ours waits for the name, and says nothing
        try:
            first = conn.recv(4)
        except TimeoutError:
            first = b""
            conn.sendall(self.name)
        conn.settimeout(20)
        if first == b"GET ":
            self.checks += 1
            if not self.hangs:
                conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        while True:
            data = conn.recv(4096)
            if not data:
                return
            if not first:
                conn.sendall(data)


@pytest.fixture
def pair(service):
    return service(Hanging, b"a"), service(Hanging, b"b")


def both(gate, pair, **keys):
    return gate([p.address for p in pair], upstream_keys={
        "check": "http GET /", **QUICK, "check_timeout": "500ms", **keys})


def test_new_connections_go_to_those_that_are_up(gate, pair, certs):
    proxy = both(gate, pair)
    assert crowd(proxy, certs) == {"a", "b"}
    with client.connect(proxy.address, certs) as held:
        name = held.recv(1)
        sick, well = pair if name == b"a" else reversed(pair)
        sick.hangs = True               # it still accepts: no connection would find it out
        assert goes_down(proxy, "timed out")["server"] == sick.address
        until("the workers know", lambda: crowd(proxy, certs) == {well.name.decode()})
        held.sendall(b"x")
        assert held.recv(1) == b"x"     # on_down = keep
        sick.hangs = False
        comes_up(proxy)
        until("the workers know", lambda: crowd(proxy, certs) == {"a", "b"})


def test_all_down_is_not_believed(gate, pair, certs):
    proxy = both(gate, pair)
    for one in pair:
        one.hangs = True
    for _ in pair:
        goes_down(proxy, "timed out")
    assert crowd(proxy, certs) <= {"a", "b"}


def test_connections_are_told(gate, pair, certs):
    proxy = both(gate, pair, on_down="close")
    with client.Careful(proxy.address, certs).handshake() as held:
        name = held.receive(1)
        sick = pair[0] if name == b"a" else pair[1]
        sick.hangs = True
        goes_down(proxy, "timed out")
        with pytest.raises((client.CutShort, ConnectionResetError)):
            held.recv()
    proxy.await_access(reason="upstream-down", upstream=sick.address)


def test_rise_and_fall_are_counted(gate, service, certs):
    app = service(Hanging, b"a")
    proxy = gate(app.address, upstream_keys={
        **QUICK, "check": "http GET /", "check_timeout": "300ms", "rise": 3, "fall": 3})
    until("it was asked", lambda: app.checks >= 1)
    app.hangs = True
    before = app.checks
    goes_down(proxy, "timed out")
    assert app.checks - before in (3, 4)        # one may have begun just before
    app.hangs = False
    before = app.checks
    comes_up(proxy)
    assert app.checks - before >= 3


def test_the_monitor_dies_and_nobody_forgets(gate, pair, certs):
    proxy = both(gate, pair, check_interval="1h", rise=2)
    pair[0].hangs = True
    proxy.signal(signal.SIGHUP)         # with which they are checked anew
    proxy.await_message("reload done")
    goes_down(proxy, "timed out")
    until("the workers know", lambda: crowd(proxy, certs) == {"b"})
    checked = pair[1].checks
    os.kill(proxy.monitor(), signal.SIGKILL)
    assert crowd(proxy, certs) == {"b"}
    proxy.await_message("^the monitor is replaced by process")
    until("it has checked", lambda: pair[1].checks > checked)
    assert crowd(proxy, certs) == {"b"}
    for pid in proxy.workers():
        if pid != proxy.monitor():
            os.kill(pid, signal.SIGKILL)
    proxy.await_message("^worker 0 is replaced")
    assert crowd(proxy, certs) == {"b"}         # a newborn is told


def test_another_takes_over_and_nobody_forgets(gate, pair, certs):
    with orphans_adopted():
        proxy = both(gate, pair, check_interval="1h", check_timeout="5s")
        pair[0].hangs = True
        proxy.signal(signal.SIGHUP)         # with which they are checked anew
        proxy.await_message("reload done")
        goes_down(proxy, "timed out")
        until("the workers know", lambda: crowd(proxy, certs) == {"b"})
        checked = pair[1].checks
        swap(proxy)
        assert crowd(proxy, certs) == {"b"}, "it takes 5 s to find that out"
        until("it has begun to check", lambda: pair[1].checks > checked)
        proxy.close()


def test_a_reload_begins_and_ends_checks(sallyport, config, pair, certs):
    def sections(**keys):
        return config([p.address for p in pair], upstream_keys={**QUICK, **keys})

    def rewrite(**keys):
        proxy.reconfigure(sections(**keys))

    proxy = sallyport(sections(check="off"))
    assert len(procfs.children(proxy.pid)) == 1         # nobody to check anything
    pair[0].hangs = True
    assert crowd(proxy, certs) == {"a", "b"}
    rewrite(check="http GET /", check_timeout="300ms")
    goes_down(proxy, "timed out")
    until("the workers know", lambda: crowd(proxy, certs) == {"b"})
    rewrite(check="off")
    until("what was known is forgotten", lambda: crowd(proxy, certs) == {"a", "b"})
    until("the monitor is gone", lambda: len(procfs.children(proxy.pid)) == 1)


def test_who_expects_proxy_headers_gets_one(gate, service, certs):
    heard = []

    def app(conn):
        heard.append(conn.recv(16))
        conn.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    for version, head in (("v1", b"PROXY UNKNOWN\r\n"), ("v2", b"\r\n\r\n\0\r\nQUIT\n\x20")):
        server = service(Origin, app)
        proxy = checked(gate, server.address, "http GET /", proxy_protocol=version)
        until("it was asked", lambda: heard)
        assert heard[-1].startswith(head)
        stays_up(proxy, 0.3)
        proxy.close()
        heard.clear()


def test_alone_it_is_not_checked(gate, origin):
    app = origin()
    proxy = gate(app.address, upstream_keys={"check_interval": "100ms"})
    time.sleep(0.5)
    assert app.nobody_came()
    assert len(procfs.children(proxy.pid)) == 1


def test_a_monitor_that_is_not_ours_any_more_holds_nobody_up(gate, origin, certs):
    """It tells of servers without a pause, as much as it can at once."""
    proxy = gate([origin(echo).address, origin(echo).address], upstream_keys={"check": "tcp"})
    entry = b"".join(struct.pack("=I", len(b)) + b for b in (b"x\0", b"y:1\0")) + bytes(4)
    told = broken_in.sealed(entry * ((16 << 20) // len(entry)))
    channel = broken_in.channel(proxy.monitor())
    message, files = broken_in.endpoints(told)
    stop, sent = threading.Event(), []

    def flood():
        while not stop.is_set():
            try:
                socket.send_fds(channel, message, files)
                sent.append(time.monotonic())
            except BlockingIOError:
                time.sleep(0.001)
    flooding = threading.Thread(target=flood)
    with client.Careful(proxy.address, certs).handshake() as c:
        flooding.start()
        try:
            until("the channel is full", lambda: len(sent) > 200)
            waits = []
            while len(waits) < 50:
                began = time.monotonic()
                c.send(b"x")
                assert c.receive(1) == b"x"
                waits.append(time.monotonic() - began)
                time.sleep(0.02)
        finally:
            stop.set()
            flooding.join()
            channel.close()
            os.close(told)
    # In one turn a worker would have read some, were it handed all of them.
    assert max(waits) < 0.5 * (10 if gates.is_sanitized() else 1), sorted(waits)[-3:]
