"""Sessions: who resumes where. Every combination of policies, versions, workers and changes."""

import base64
import calendar
import itertools
import json
import os
import re
import secrets
import shutil
import signal
import ssl
import time

import pytest

from harness import client, findings, tools
from harness.certs import openssl
from harness.gate import render, run
from harness.java_client import PASSWORD
from harness.origin import echo
from harness.waiting import until

# The routes of one address, by the name a client asks for.
OPEN, TRUST_A, TRUST_B, STRICT = NAMES = ["open.example", "a.example", "b.example",
                                          "strict.example"]


_numbers = itertools.count()


class World:
    """A sallyport with the four policies, on files that a test may change."""

    def __init__(self, folder, certs, proxy):
        self.certs, self.ca_file, self.crl_file = certs, folder / "a.ca", folder / "a.crl"
        shutil.copyfile(certs.ca.cert, self.ca_file)
        self.new_crl()
        trust_a = {"client_auth": "require", "trust": "a", "session_tickets": "on"}
        routes = {OPEN: {},
                  TRUST_A: trust_a,
                  TRUST_B: {**trust_a, "trust": "b"},
                  STRICT: {**trust_a, "alpn": "http/1.1", "trust": "strict"}}
        self.sections = {
            "proxy": {"workers": 2, "drain_timeout": "1s", **proxy},
            "store node": {"cert": certs.server.cert, "key": certs.server.key},
            "trust a": {"ca": self.ca_file, "crl": self.crl_file},
            "trust b": {"ca": [certs.other_ca.cert, certs.ca.cert]},
            "trust strict": {"ca": self.ca_file, "crl": self.crl_file, "depth": 1},
        }
        for name, keys in routes.items():
            self.sections[f"route {name}"] = {
                "listen": "127.0.0.1:0", "sni": name, "store": "node",
                "upstream": "builtin:page", **keys}

    def new_crl(self):
        """Of the same content, but for its date and number."""
        made = self.certs.crl(f"sessions-{next(_numbers)}", self.certs.ca)
        shutil.copyfile(made, self.crl_file)

    def add_ca(self):
        with open(self.ca_file, "ab") as f:
            f.write(self.certs.other_ca.cert.read_bytes())


def visit(address, ctx, name, session=None):
    """What the built-in page says of a connection, and the session it leaves."""
    with client.dial(address) as raw, \
            ctx.wrap_socket(raw, server_hostname=name, session=session) as tls:
        tls.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n"
                    b"Connection: close\r\n\r\n")
        answer = b"".join(iter(lambda: tls.recv(65536), b""))
        page = json.loads(answer.split(b"\r\n\r\n", 1)[1])
        assert page["resumed"] == tls.session_reused and page["route"] == name
        return page, tls.session


def worker_of(page):
    return int(page["connection"], 16) >> 32


class Matrix:
    """A session of each policy and version, to be offered to each policy."""

    def __init__(self, world, address):
        self.world, self.ctx, self.sessions, self.makers = world, {}, {}, {}
        for version in client.VERSIONS:
            # Python ties a session to its context, and one route demands ALPN: so all ask.
            ctx = client.context(world.certs, version, check="chain",
                                 client=world.certs.client, alpn=["http/1.1"])
            self.ctx[version] = ctx
            for name in NAMES:
                page, session = visit(address, ctx, name)
                assert not page["resumed"] and session.has_ticket
                self.sessions[version, name] = session
                self.makers[version, name] = worker_of(page)

    def resumed(self, address, workers):
        """(version, of, at) of all that resume, each tried at every worker."""
        yes, no = set(), set()
        for (version, of), session in self.sessions.items():
            for at in NAMES:
                met = {}
                while set(met) != set(workers):
                    page, _ = visit(address, self.ctx[version], at, session)
                    met.setdefault(worker_of(page), page["resumed"])
                assert len(set(met.values())) == 1, f"{of} at {at}: workers differ: {met}"
                (yes if all(met.values()) else no).add((version, of, at))
        assert len(yes) + len(no) == 2 * len(NAMES) ** 2
        return yes


def diagonal(*names):
    return {(version, name, name) for version in client.VERSIONS for name in names}


def reloaded(gate):
    gate.signal(signal.SIGHUP)
    gate.await_message(r"^reload done")


@pytest.fixture
def world(open_folder, certs):
    def make(**proxy):
        return World(open_folder, certs, {"reload": "signal", **proxy})
    return make


def test_nothing_resumes_off_the_diagonal(sallyport, world):
    w = world()
    gate = sallyport(w.sections)
    workers = gate.workers()
    assert len(workers) == 2
    before = Matrix(w, gate.address)
    assert before.resumed(gate.address, workers) == diagonal(*NAMES)

    w.new_crl()         # who came under the old one is looked at again
    reloaded(gate)
    assert before.resumed(gate.address, workers) == diagonal(OPEN, TRUST_B)
    after_crl = Matrix(w, gate.address)
    assert after_crl.resumed(gate.address, workers) == diagonal(*NAMES)

    w.add_ca()
    reloaded(gate)
    assert after_crl.resumed(gate.address, workers) == diagonal(OPEN, TRUST_B)
    assert before.resumed(gate.address, workers) == diagonal(OPEN, TRUST_B)


@pytest.fixture
def echoing(sallyport, world, origin):
    """The routes of a world, with an echo behind them."""
    sections = world().sections
    for name in NAMES:
        sections[f"route {name}"]["upstream"] = origin(echo).address
    return sallyport(sections)


PING = b"ping\n"
EACH_VERSION = pytest.mark.parametrize("version", ["1.2", "1.3"])


@EACH_VERSION
def test_the_same_with_openssl(echoing, certs, tmp_path, version):
    def resumes(at, *session):
        said, _ = tools.converse(
            "openssl", "s_client", "-connect", "%s:%d" % echoing.address, "-quiet", "-no_ign_eof",
            "-tls" + version.replace(".", "_"), "-servername", at, "-cert", certs.client.cert,
            "-key", certs.client.key, *session, send=PING, expect=PING)
        assert PING.decode() in said
        return echoing.await_access(sni=at)["resumed"] == "yes"

    for of in NAMES:
        assert not resumes(of, "-sess_out", tmp_path / of)
        assert [at for at in NAMES if resumes(at, "-sess_in", tmp_path / of)] == [of]


@EACH_VERSION
def test_the_same_with_java(sallyport, world, certs, java, origin, tmp_path, version):
    """It takes a session to the server name that it comes from; so here a policy has addresses
    instead. Its cache has one session, that of the last visit."""
    sections, keystore = world().sections, tmp_path / "client.p12"
    for i, name in enumerate(NAMES):
        sections[f"route {name}"] |= {
            "sni": None, "listen": [f"127.0.0.{i + 2}:0", f"127.0.1.{i + 2}:0"],
            "upstream": origin(echo).address}
    gate = sallyport(sections, listeners=2 * len(NAMES))
    listeners = sorted(gate.listeners)
    first, second = (dict(zip(NAMES, listeners[i:])) for i in (0, len(NAMES)))
    openssl("pkcs12", "-export", "-in", certs.client.cert, "-inkey", certs.client.key,
            "-out", keystore, "-passout", f"pass:{PASSWORD}")

    for of, at in itertools.product(NAMES, NAMES):
        context, met = java.new_context(), []
        for name, address in (of, first[of]), (of, second[of]), (at, first[at]):
            assert java.visit(address, f"TLSv{version}", keystore=keystore,
                              context=context) == "echo"
            met.append(gate.await_access(route=name)["resumed"])
        assert met == ["no", "yes", "yes" if of == at else "no"], (of, at)


@EACH_VERSION
@pytest.mark.parametrize("name", NAMES)
def test_gnutls_resumes_where_it_was(echoing, certs, name, version):
    """gnutls-cli takes its session to the name that it comes from, and to no other."""
    tools.converse(
        "gnutls-cli", "--port", echoing.address[1], "--no-ca-verification", "--sni-hostname", name,
        "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}", "--resume", "--waitresumption",
        f"--x509certfile={certs.client.cert}", f"--x509keyfile={certs.client.key}",
        echoing.address[0], send=PING, expect=PING)
    assert [echoing.await_access(sni=name)["resumed"] for _ in range(2)] == ["no", "yes"]


def key_file(path, *keys):
    path.write_text("# ticket keys\n" + "\n".join(keys) + "\n")
    path.chmod(0o600)
    return path


def new_key():
    return base64.b64encode(secrets.token_bytes(48)).decode()


def test_the_same_over_restarts_with_a_key_file(sallyport, world, open_folder):
    w = world(ticket_keys=key_file(open_folder / "ticket.keys", new_key()))

    def restarted():
        gate = sallyport(w.sections)
        return gate, gate.address, gate.workers()

    gate, address, workers = restarted()
    before = Matrix(w, address)
    assert before.resumed(address, workers) == diagonal(*NAMES)
    gate.close()
    gate, address, workers = restarted()
    assert before.resumed(address, workers) == diagonal(*NAMES)
    gate.close()
    w.new_crl()
    gate, address, workers = restarted()
    assert before.resumed(address, workers) == diagonal(OPEN, TRUST_B)
    after_crl = Matrix(w, address)
    gate.close()
    w.add_ca()
    gate, address, workers = restarted()
    assert after_crl.resumed(address, workers) == diagonal(OPEN, TRUST_B)


def test_without_a_key_file_a_restart_ends_them(sallyport, world):
    w = world()
    gate = sallyport(w.sections)
    before = Matrix(w, gate.address)
    gate.close()
    gate = sallyport(w.sections)
    assert before.resumed(gate.address, gate.workers()) == set()


def test_a_worker_that_is_replaced_knows_them_and_in_the_foreground_it_works(sallyport, world):
    w = world()
    gate = sallyport(w.sections)
    before = Matrix(w, gate.address)
    for pid in gate.workers():
        os.kill(pid, signal.SIGKILL)
        gate.await_message(r"^worker \d is replaced")
    assert before.resumed(gate.address, gate.workers()) == diagonal(*NAMES)

    w.sections["proxy"]["workers"] = 0
    gate = sallyport(w.sections)
    assert Matrix(w, gate.address).resumed(gate.address, [gate.pid]) == diagonal(*NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_session_ids_alone_resume_nothing(sallyport, world, certs, name):
    """TLS 1.2 without tickets; TLS 1.3 has no session ids."""
    w = world()
    gate = sallyport(w.sections)
    ctx = client.context(certs, client.TLS12, check="chain", client=certs.client,
                         alpn=["http/1.1"])
    ctx.options |= ssl.OP_NO_TICKET
    page, session = visit(gate.address, ctx, name)
    assert not session.has_ticket and session.id == b""
    for _ in range(4):
        page, _ = visit(gate.address, ctx, name, session)
        assert not page["resumed"]


@pytest.mark.parametrize("version", client.VERSIONS, ids=client.version_id)
def test_off_where_clients_are_authenticated_unless_written(sallyport, world, certs, version):
    w = world()
    del w.sections[f"route {TRUST_A}"]["session_tickets"]
    gate = sallyport(w.sections)
    ctx = client.context(certs, version, check="chain", client=certs.client)
    page, session = visit(gate.address, ctx, TRUST_A)
    assert session is None or not session.has_ticket
    page, session = visit(gate.address, ctx, OPEN)
    assert session.has_ticket


@pytest.mark.parametrize("version", client.VERSIONS, ids=client.version_id)
def test_no_longer_than_the_certificates_of_the_client(sallyport, world, certs, version):
    """The client is told for how long a ticket is good: for no longer than its certificate, or
    the revocation list that clears it; and never for more than an hour."""
    def stamp(seconds):
        return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds))

    number = next(_numbers)
    brief = certs.issue(f"brief-{number}", "brief", dates=(stamp(-60), stamp(600)))
    w = world()
    gate = sallyport(w.sections)

    def lifetime(who, name=TRUST_A):
        ctx = client.context(certs, version, check="chain", client=who, alpn=["http/1.1"])
        return visit(gate.address, ctx, name)[1].ticket_lifetime_hint

    assert 3590 <= lifetime(certs.client) <= 3600
    assert 500 < lifetime(brief) <= 600
    assert 500 < lifetime(brief, TRUST_B) <= 600
    assert 3590 <= lifetime(brief, OPEN) <= 3600
    shutil.copyfile(certs.crl(f"brief-{number}", certs.ca, dates=(stamp(-60), stamp(300))),
                    w.crl_file)
    reloaded(gate)
    assert 200 < lifetime(brief) <= 300
    assert 200 < lifetime(certs.client) <= 300
    assert 500 < lifetime(brief, TRUST_B) <= 600


def test_a_session_does_not_outlive_its_certificate(sallyport, world, certs):
    gate = sallyport(world().sections)
    end = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + 4))
    brief = certs.issue(f"ends-{next(_numbers)}", "brief", dates=("20200101000000Z", end))
    sessions = {}
    for version in client.VERSIONS:
        ctx = client.context(certs, version, check="chain", client=brief)
        sessions[ctx] = visit(gate.address, ctx, TRUST_B)[1]
    until("the certificate's end", lambda: time.time() > calendar.timegm(
        time.strptime(end, "%Y%m%d%H%M%SZ")) + 1)
    for ctx, session in sessions.items():
        with pytest.raises((ssl.SSLError, ConnectionError)):
            visit(gate.address, ctx, TRUST_B, session)
        assert gate.await_access(reason="handshake-failed")["cause"] == "client-certificate-expired"


@pytest.mark.parametrize("version", client.VERSIONS, ids=client.version_id)
def test_keys_are_turned_by_their_file(sallyport, world, open_folder, certs, version):
    """Appended first, then moved to the front; what is in the file is followed."""
    old, new = new_key(), secrets.token_bytes(32).hex() + "  # of November"
    path = key_file(open_folder / "ticket.keys", old)
    w = world(ticket_keys=path, reload="watch", workers=1)
    gate = sallyport(w.sections)

    def turn(*keys, says):
        key_file(path, *keys)
        gate.await_message(r"^reload done")
        gate.await_message("session ticket keys: " + re.escape(says))

    ctx = client.context(certs, version, check="chain")
    _, of_old = visit(gate.address, ctx, OPEN)
    turn(old, new, says="2 (before: 1), 1 new; tickets are sealed with the same key")
    page, _ = visit(gate.address, ctx, OPEN, of_old)
    assert page["resumed"]
    turn(new, old, says="2 (before: 2), 0 new; tickets are sealed with another key")
    page, of_new = visit(gate.address, ctx, OPEN, of_old)
    assert page["resumed"]
    turn(new, says="1 (before: 2), 0 new; tickets are sealed with the same key")
    page, _ = visit(gate.address, ctx, OPEN, of_new)
    assert page["resumed"], "a ticket that the older key opened was given again by the newest"
    page, _ = visit(gate.address, ctx, OPEN, of_old)
    assert not page["resumed"]
    assert old not in gate.text() and new[:64] not in gate.text()


@pytest.mark.parametrize("text, words", [
    ("", "the file is empty"),
    ("# nothing\n\n", "no key in it"),
    ("\n!" + "a" * 50, "line 2: neither base64 nor hex"),
    ("aaaa" * 10, "line 1: a key of less than 32 bytes"),
    ("\n".join(f"{i:064x}" for i in range(9)), "line 9: more than 8 keys"),
])
def test_files_that_are_no_keys(world, open_folder, text, words):
    path = open_folder / "ticket.keys"
    path.write_text(text)
    path.chmod(0o600)
    w = world(ticket_keys=path)
    (open_folder / "x.conf").write_text(render(w.sections))
    error = findings.only_error(open_folder / "x.conf")
    assert error.startswith(f"{open_folder}/x.conf:5: error: [proxy] ticket_keys = "), error
    assert words in error and "aaaa" not in error and "0000" not in error, error


def test_a_key_file_that_lies_open_is_warned_of(world, open_folder):
    key_file(open_folder / "ticket.keys", new_key()).chmod(0o644)
    w = world(ticket_keys=open_folder / "ticket.keys")
    (open_folder / "x.conf").write_text(render(w.sections))
    done = run("check", "-c", open_folder / "x.conf")
    assert done.returncode == 0
    assert "everybody on this machine can read the ticket keys (mode 0644)" in done.stdout
