"""The PROXY protocol: from load balancers in front, and to services behind. With a real HAProxy and
a real nginx at the other end."""

import contextlib
import os
import shutil
import socket
import ssl
import struct
import subprocess
import time

import pytest

from harness import client
from harness.certs import Pair
from harness.gate import render, run
from harness.mint import Mint
from harness.origin import echo
from harness.proxy_header import SIGNATURE, crc32c, read_exactly, read_header
from harness.waiting import PATIENCE, until


def header_v1(source, port):
    return f"PROXY TCP4 {source} 192.0.2.99 {port} 443\r\n".encode()


def header_v2(source, port, extra=b""):
    body = socket.inet_aton(source) + socket.inet_aton("192.0.2.99") + struct.pack("!HH", port, 443)
    return SIGNATURE + b"\x21\x11" + struct.pack("!H", len(body + extra)) + body + extra


# --- from a load balancer ---

@pytest.fixture
def behind(sallyport, config, origin):
    """behind(…): one that wants headers from 127.0.0.2 alone."""
    def start(handler=echo, listener=None, **route):
        made = config(origin(handler).address, **route)
        made["listener 127.0.0.1:0"] = {"accept_proxy_from": "127.0.0.2", **(listener or {})}
        return sallyport(made)
    return start


def dial_from(gate, source):
    return socket.create_connection(gate.address, timeout=PATIENCE, source_address=(source, 0))


def speak(sock, certs, data=b"hello"):
    with client.context(certs).wrap_socket(sock, server_hostname="localhost") as tls:
        tls.sendall(data)
        return tls.recv(100)


@pytest.mark.parametrize("header", [header_v1, header_v2], ids=["v1", "v2"])
@pytest.mark.parametrize("pieces", [False, True], ids=["whole", "bytes"])
def test_a_header_says_who_the_client_is(behind, certs, header, pieces):
    gate = behind()
    sock, sent = dial_from(gate, "127.0.0.2"), header("203.0.113.7", 4711)
    if pieces:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(sent)):
            sock.sendall(sent[i:i + 1])
    else:
        sock.sendall(sent)
    assert speak(sock, certs) == b"hello"
    line = gate.await_access(reason="client-cut")
    assert line["client"] == "203.0.113.7:4711" and line["via"].startswith("127.0.0.2:")


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", SIGNATURE + b"\x20\0\0\0"],
                         ids=["unknown", "local"])
def test_the_balancers_own_connections(behind, certs, header):
    gate = behind()
    sock = dial_from(gate, "127.0.0.2")
    sock.sendall(header)
    assert speak(sock, certs) == b"hello"
    line = gate.await_access(reason="client-cut")
    assert line["client"].startswith("127.0.0.2:") and "via" not in line


def test_without_a_header_nobody_comes_through_there(behind, certs):
    gate = behind()
    with dial_from(gate, "127.0.0.2") as sock, pytest.raises((ssl.SSLError, ConnectionError)):
        speak(sock, certs)
    line = gate.await_access(reason="handshake-failed")
    assert line["cause"] == "proxy-header-wrong" and "there is none" in line["what"]


@pytest.mark.parametrize("header", [header_v1, header_v2], ids=["v1", "v2"])
def test_a_header_from_anybody_else_is_refused(behind, certs, header):
    gate = behind()
    with dial_from(gate, "127.0.0.3") as sock, pytest.raises((ssl.SSLError, ConnectionError)):
        sock.sendall(header("203.0.113.7", 1))
        speak(sock, certs)
    line = gate.await_access(reason="handshake-failed")
    assert line["cause"] == "proxy-header" and line["client"].startswith("127.0.0.3:")
    assert "list its address in accept_proxy_from" in line["fix"]
    with dial_from(gate, "127.0.0.3") as sock:
        assert speak(sock, certs) == b"hello"


@pytest.mark.parametrize("header", [header_v1, header_v2], ids=["v1", "v2"])
def test_every_beginning_of_a_header_closes_in_time(behind, header):
    gate = behind(listener={"handshake_timeout": "500ms"})
    whole = header("203.0.113.7", 4711)
    base = gate.fds()
    silent = [dial_from(gate, "127.0.0.2") for _ in range(len(whole))]
    for n, sock in enumerate(silent):
        sock.sendall(whole[:n])
    for sock in silent:
        with contextlib.suppress(ConnectionError):
            assert sock.recv(100) == b""
        sock.close()
    for n in range(len(whole)):
        with dial_from(gate, "127.0.0.2") as sock:
            sock.sendall(whole[:n])
            sock.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionError):
                assert sock.recv(100) == b""
    gate.await_fds(base)


def test_limits_count_the_client_not_the_balancer(behind, certs):
    gate = behind(listener={"max_connections_per_ip": 1})
    def through(source):
        sock = dial_from(gate, "127.0.0.2")
        sock.sendall(header_v2(source, 1))
        return client.context(certs).wrap_socket(sock, server_hostname="localhost")
    with through("203.0.113.1") as one, through("203.0.113.2") as other:
        one.sendall(b"1")
        other.sendall(b"2")
        assert (one.recv(1), other.recv(1)) == (b"1", b"2")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            through("203.0.113.1")
    assert gate.await_access(reason="too-many-from-source")["client"] == "203.0.113.1:1"


def test_a_unix_socket_on_the_balancers_host_is_none_on_ours(behind):
    """A client on this host may speak plaintext here; not one on another host."""
    gate = behind(plaintext_from="loopback", client_auth="require", handshake_timeout="8s")
    unix = SIGNATURE + b"\x21\x31" + struct.pack("!H", 216) + bytes(216)
    with dial_from(gate, "127.0.0.2") as sock:
        sock.sendall(unix + b"GET / HTTP/1.0\r\n\r\n")
        line = gate.await_access(client="unix")
        assert line["reason"] == "handshake-failed" and line["cause"] == "plain-http"
    with dial_from(gate, "127.0.0.2") as sock:      # which is loopback, and speaks for itself
        sock.sendall(SIGNATURE + b"\x20\x00\0\0" + b"GET / HTTP/1.0\r\n\r\n")
        assert sock.recv(3) == b"GET"


def test_a_rate_counts_when_the_client_is_known(behind):
    """A header that comes late belongs to no second that is over."""
    gate = behind(listener={"handshake_rate_per_ip": 2, "handshake_timeout": "60s"})
    with contextlib.ExitStack() as stack:
        late = [stack.enter_context(dial_from(gate, "127.0.0.2")) for _ in range(20)]
        time.sleep(1.1)
        began = time.monotonic()
        for sock in late:
            new = stack.enter_context(dial_from(gate, "127.0.0.2"))
            for one in (sock, new):
                one.sendall(header_v1("203.0.113.9", 1) + b"GET / HTTP/1.1\r\n\r\n")
        until("each has a line", lambda: sum("reason" in r for r in list(gate.records)) == 40)
        seconds = int(time.monotonic()) - int(began) + 1
    admitted = [r for r in gate.records if r.get("reason") == "handshake-failed"]
    assert 2 <= len(admitted) <= 2 * seconds
    assert gate.await_access(reason="too-fast-from-source")["client"] == "203.0.113.9:1"


# --- HAProxy and nginx ---

@pytest.fixture
def daemon(tmp_path):
    """daemon(args…): a program that runs until the end of the test."""
    with contextlib.ExitStack() as stack:
        def start(*args):
            out = stack.enter_context(open(tmp_path / "daemon.log", "ab"))
            process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
            stack.callback(process.wait, PATIENCE)
            stack.callback(process.kill)
            return process
        yield start


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def need(program):
    """CI installs it; a machine that only builds needs no second proxy."""
    found = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


@pytest.fixture
def haproxy(daemon, tmp_path):
    """haproxy(text): runs that configuration; {port} in it is a free port, which is returned."""
    program = need("haproxy")

    def start(text):
        port, path = free_port(), tmp_path / "haproxy.cfg"
        path.write_text("defaults\n timeout client 30s\n timeout server 30s\n timeout connect 5s\n"
                        + text.replace("{port}", str(port)))
        daemon(program, "-db", "-f", path)
        until("haproxy answers", lambda: answers(port))
        return port
    return start


@pytest.mark.parametrize("version", ["send-proxy", "send-proxy-v2",
                                     "send-proxy-v2 proxy-v2-options crc32c,unique-id"])
def test_haproxy_in_front(sallyport, config, origin, certs, haproxy, version):
    made = config(origin(echo).address)
    made["listener 127.0.0.1:0"] = {"accept_proxy_from": "127.0.0.0/8"}
    gate = sallyport(made)
    port = haproxy(f"listen l\n mode tcp\n bind 127.0.0.1:{{port}}\n unique-id-format x%ts\n"
                   f" server s 127.0.0.1:{gate.address[1]} {version}\n")
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE,
                                  source_address=("127.0.0.9", 0)) as sock:
        source = "%s:%d" % sock.getsockname()
        assert speak(sock, certs) == b"hello"
    line = gate.await_access(client=source)
    assert line["via"].startswith("127.0.0.1:")


@pytest.mark.parametrize("version", client.VERSIONS, ids=client.version_id)
@pytest.mark.parametrize("who", ["client", None], ids=["certified", "anonymous"])
def test_what_we_tell_is_what_haproxy_tells(gate, origin, certs, haproxy, tmp_path, version, who):
    """Of one client with one certificate, both in front of one service."""
    service = origin()
    ours = gate(service.address, upstream_keys={"proxy_protocol": "v2"}, trust="clients",
                client_auth="request", alpn="x-test")
    pem = tmp_path / "haproxy.pem"
    pem.write_text(certs.server.cert.read_text() + certs.server.key.read_text())
    port = haproxy(
        f"frontend f\n mode tcp\n bind 127.0.0.1:{{port}} ssl crt {pem} ca-file {certs.ca.cert}"
        " verify optional alpn x-test\n default_backend b\nbackend b\n mode tcp\n"
        f" server s {service.address} send-proxy-v2-ssl-cn proxy-v2-options"
        " ssl,cert-cn,ssl-cipher,cert-sig,cert-key,authority,crc32c\n")
    service_of = {}
    for name, address in (("ours", ours.address), ("haproxy", ("127.0.0.1", port))):
        tls = client.connect(address, certs, version=version, alpn=["x-test"],
                             ciphers="ECDHE+AES128", client=certs.client if who else None)
        conn = service.accept()
        while True:             # the look whether haproxy is there reaches the service, too
            try:
                ends, told = read_header(conn)
                break
            except AssertionError:
                conn = service.accept()
        assert ends == (tls.getsockname(), address)
        tls.sendall(b"up")
        assert read_exactly(conn, 2) == b"up"
        told["cipher_of_client"] = tls.cipher()[0].encode()
        tls.close()
        conn.close()
        service_of[name] = told
    mine, theirs = service_of["ours"], service_of["haproxy"]
    for told in (mine, theirs):         # each side prefers another suite
        assert told.pop("cipher") == told.pop("cipher_of_client") and told["alpn"] == b"x-test"
    assert mine.pop("unique_id") and mine.pop("group")
    cert = mine.pop("cert", None)
    if who:
        assert cert == ssl.PEM_cert_to_DER_cert(certs.client.cert.read_text())
        assert (mine["client"], mine["verify"]) == (7, 0)
    else:
        # The specification: not zero without a certificate. HAProxy says zero.
        assert cert is None and mine.pop("verify") == 1 and theirs.pop("verify") == 0
        assert mine["client"] == 1 and "cn" not in mine
    assert mine == theirs


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_haproxy_behind(gate, certs, haproxy, version):
    port = haproxy("frontend f\n mode http\n bind 127.0.0.1:{port} accept-proxy\n"
                   " http-request return status 200 content-type text/plain lf-string"
                   " '%[src] %[src_port] %[dst] %[dst_port] %[fc_pp_authority]'\n")
    ours = gate(f"127.0.0.1:{port}", upstream_keys={"proxy_protocol": version})
    with client.connect(ours.address, certs) as tls:
        tls.sendall(b"GET / HTTP/1.0\r\n\r\n")
        said = b""
        while more := tls.recv(4096):
            said += more
        source, here = tls.getsockname(), ours.address
    expected = "%s %d %s %d" % (*source, *here)
    assert said.decode().split("\r\n\r\n")[1].split(" localhost")[0].rstrip(" -") == expected


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_nginx_behind(gate, certs, daemon, tmp_path, version):
    port, path = free_port(), tmp_path / "nginx.conf"
    folders = " ".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in
                       ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    path.write_text(f"daemon off; master_process off; pid {tmp_path}/nginx.pid; error_log stderr;\n"
                    f"events {{}}\nhttp {{ access_log off; {folders}\n"
                    f"server {{ listen 127.0.0.1:{port} proxy_protocol;\n"
                    "return 200 '$proxy_protocol_addr $proxy_protocol_port "
                    "$proxy_protocol_server_addr $proxy_protocol_server_port'; } }\n")
    daemon(need("nginx"), "-p", tmp_path, "-c", path)
    until("nginx answers", lambda: answers(port))
    ours = gate(f"127.0.0.1:{port}", upstream_keys={"proxy_protocol": version})
    with client.connect(ours.address, certs) as tls:
        tls.sendall(b"GET / HTTP/1.0\r\n\r\n")
        said = b""
        while more := tls.recv(4096):
            said += more
        source = tls.getsockname()
    assert said.decode().split("\r\n\r\n")[1] == "%s %d %s %d" % (*source, *ours.address)


# --- to the service ---

def test_addresses_alone(gate, origin, certs):
    service = origin()
    ours = gate(service.address, upstream_keys={"proxy_protocol": "v2", "proxy_tlvs": "off"})
    with client.connect(ours.address, certs) as tls:
        ends, told = read_header(service.accept())
        assert ends == (tls.getsockname(), ours.address) and told == {}


def test_a_name_with_a_nul_is_not_told(gate, origin, certs, tmp_path):
    """A service in C would read what stands before it. No rule takes it for a name either."""
    service = origin()
    ours = gate(service.address, trust="clients", upstream_keys={"proxy_protocol": "v2"})
    minted = Mint(certs.ca).new("admin\0.example")
    pair = Pair(tmp_path / "nul.crt", tmp_path / "nul.key")
    pair.cert.write_bytes(minted.cert)
    pair.key.write_bytes(minted.key)
    with client.connect(ours.address, certs, client=pair):
        _, told = read_header(service.accept())
        assert (told["client"], told["verify"]) == (7, 0)
        assert told["cert"] == minted.der and "cn" not in told


def test_a_header_is_passed_on(behind, sallyport, config, origin, certs):
    """Of a chain of balancers the first client counts, and the address that it had dialled."""
    service = origin()
    made = config(service.address, upstream_keys={"proxy_protocol": "v2"})
    made["listener 127.0.0.1:0"] = {"accept_proxy_from": "loopback"}
    gate = sallyport(made)
    sock = client.dial(gate.address)
    sock.sendall(header_v1("203.0.113.7", 4711))
    with client.context(certs).wrap_socket(sock, server_hostname="localhost"):
        ends, told = read_header(service.accept())
        assert ends == (("203.0.113.7", 4711), ("192.0.2.99", 443))
        assert told["authority"] == b"localhost"


def test_bytes_are_counted_without_the_header(gate, origin, certs):
    service = origin()
    ours = gate(service.address, upstream_keys={"proxy_protocol": "v2"})
    with client.connect(ours.address, certs) as tls:
        conn = service.accept()
        read_header(conn)
        tls.sendall(b"12345")
        assert read_exactly(conn, 5) == b"12345"
    assert ours.await_access(bytes_in=5)


def test_plaintext_clients_have_no_tls_to_tell_of(gate, origin):
    service = origin()
    ours = gate(service.address, upstream_keys={"proxy_protocol": "v2"}, plaintext_from="loopback")
    with client.dial(ours.address) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        ends, told = read_header(service.accept())
        assert ends == (sock.getsockname(), ours.address) and set(told) == {"unique_id"}


def test_the_page_reads_none(config, tmp_path):
    path = tmp_path / "c.conf"
    path.write_text(render(config("builtin:page", upstream_keys={"proxy_protocol": "v1"})))
    done = run("check", "-c", path)
    assert done.returncode == 1 and "reads no PROXY header" in done.stdout
