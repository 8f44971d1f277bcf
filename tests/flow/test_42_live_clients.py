"""Live connections are judged again: when a certificate expires, and when a reload brings a CRL,
another trust or other rules. Within five seconds, and nobody else's."""

import datetime
import shutil
import ssl
import time

import pytest

from harness import client
from harness.gate import render
from harness.origin import echo

SOON = 5


@pytest.fixture
def live(sallyport, config, origin, certs, tmp_path):
    """live(on_expiry=…, …): (a gate whose trust is in files of its own, connect(pair))"""
    def start(**route):
        ca = tmp_path / "ca.crt"
        ca.write_text(certs.ca.cert.read_text())
        made = config(origin(echo).address, trust="clients", **route)
        made["trust clients"] = {"ca": ca, "crl": route.pop("crl", None)}
        gate = sallyport(made)
        gate.ca, gate.sections = ca, made
        return gate
    return start


def connect(gate, certs, pair, version=None):
    tls = client.connect(gate.address, certs, client=pair, version=version)
    assert echoes(tls)
    return tls


def echoes(tls):
    tls.settimeout(SOON)
    tls.sendall(b"x")
    return tls.recv(1) == b"x"


def gone(tls):
    """Seconds until it is cut."""
    began = time.monotonic()
    tls.settimeout(4 * SOON)
    with pytest.raises((ConnectionError, ssl.SSLError)):
        if tls.recv(1) == b"":
            raise ConnectionResetError
    return time.monotonic() - began


@pytest.mark.parametrize("version", client.VERSIONS, ids=client.version_id)
def test_an_expired_client_goes_and_its_neighbour_stays(live, certs, version):
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=8)
    brief = certs.issue(f"live-brief-{version.name}", "brief",
                        dates=("20200101000000Z", end.strftime("%Y%m%d%H%M%SZ")))
    gate = live()
    one, other = connect(gate, certs, brief, version), connect(gate, certs, certs.client, version)
    assert gone(one) < 8 + SOON
    line = gate.await_access(reason="client-expired")
    assert line["identity"] == "cn:brief" and line["level"] == "warn"
    assert datetime.datetime.now(datetime.timezone.utc) > end
    assert echoes(other)
    other.close()


def test_where_expired_clients_are_kept(live, certs):
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=6)
    brief = certs.issue("live-brief-kept", "brief",
                        dates=("20200101000000Z", end.strftime("%Y%m%d%H%M%SZ")))
    gate = live(on_expiry="keep")
    one = connect(gate, certs, brief)
    time.sleep(6 + SOON)
    assert echoes(one)
    one.close()
    with pytest.raises((ConnectionError, ssl.SSLError)):
        connect(gate, certs, brief)


def replace(path, text):
    fresh = path.with_suffix(".fresh")
    fresh.write_text(text)
    fresh.rename(path)


@pytest.mark.parametrize("version", client.VERSIONS, ids=client.version_id)
def test_a_revoked_client_goes_and_its_neighbours_stay(sallyport, config, origin, certs, tmp_path,
                                                       version):
    bad = certs.issue(f"live-to-revoke-{version.name}", "bad")
    ca, crl = tmp_path / "ca.crt", tmp_path / "ca.crl"
    shutil.copy(certs.ca.cert, ca)
    shutil.copy(certs.crl(f"live-none-{version.name}", certs.ca), crl)
    made = config(origin(echo).address, trust="clients")
    made["trust clients"] = {"ca": ca, "crl": crl}
    gate = sallyport(made)
    one = connect(gate, certs, bad, version)
    others = [connect(gate, certs, certs.client, version) for _ in range(20)]
    replace(crl, certs.crl(f"live-one-{version.name}", certs.ca, [bad]).read_text())
    assert gone(one) < SOON
    line = gate.await_access(reason="client-revoked")
    assert line["identity"] == "cn:bad" and "revoked" in line["detail"]
    assert all(echoes(tls) for tls in others)
    for tls in others:
        tls.close()


def test_a_client_whose_ca_is_gone_goes(live, certs):
    foreign = certs.issue("live-foreign", "foreign", ca=certs.other_ca)
    gate = live()
    replace(gate.ca, certs.ca.cert.read_text() + certs.other_ca.cert.read_text())
    gate.await_message("^reload done")
    one, other = connect(gate, certs, foreign), connect(gate, certs, certs.client)
    replace(gate.ca, certs.ca.cert.read_text())
    assert gone(one) < SOON
    assert "was issued by" in gate.await_access(reason="client-untrusted")["detail"]
    assert echoes(other)
    other.close()


def test_a_client_that_rules_admit_no_more_goes(live, certs):
    bob = certs.issue("live-bob", "bob")
    gate = live()
    one, other = connect(gate, certs, bob), connect(gate, certs, certs.client)
    gate.sections["route main"]["deny"] = "cn:bob"
    gate.path.write_text(render(gate.sections))
    gate.signal(1)
    assert gone(one) < SOON
    line = gate.await_access(reason="client-denied")
    assert line["rule"].startswith("refused by deny = cn:bob")
    assert echoes(other)
    other.close()


def held_back(gate, certs, pair, version, meanwhile):
    """A client that begins its handshake and goes on only after meanwhile()."""
    c = client.Careful(gate.address, certs, client=pair, version=version)
    with pytest.raises(ssl.SSLWantReadError):
        c.tls.do_handshake()
    c._flush()
    c.cut_at, c.before_cut = c.sent + 1, lambda _: meanwhile()
    return c


@pytest.mark.parametrize("version", client.VERSIONS, ids=client.version_id)
@pytest.mark.parametrize("what", ["crl", "rule"])
def test_who_was_about_to_come_in_is_judged_by_what_is_in_force(sallyport, config, origin, certs,
                                                                tmp_path, version, what):
    """Else a client could keep a handshake open all the time, and end it when it is revoked."""
    bad = certs.issue(f"live-slow-{what}-{version.name}", "bad")
    crl = tmp_path / "ca.crl"
    shutil.copy(certs.crl(f"live-slow-none-{what}-{version.name}", certs.ca), crl)
    made = config(origin(echo).address, proxy={"reload": "signal"}, trust="clients")
    made["trust clients"]["crl"] = crl
    gate = sallyport(made)

    def change():
        if what == "crl":
            replace(crl, certs.crl(f"live-slow-{version.name}", certs.ca, [bad]).read_text())
        else:
            made["route main"]["deny"] = "cn:bad"
            gate.path.write_text(render(made))
        gate.signal(1)
        gate.await_message("^reload done")

    with held_back(gate, certs, bad, version, change) as one, \
            held_back(gate, certs, certs.client, version, lambda: None) as other:
        with pytest.raises((ConnectionError, client.CutShort, ssl.SSLError)):
            one.handshake()
            one.send(b"x")
            one.receive(1)
        other.handshake()
        other.send(b"x")
        assert other.receive(1) == b"x"
    line = gate.await_access(reason="client-revoked" if what == "crl" else "client-denied")
    assert line["identity"] == "cn:bad"


def test_what_is_our_own_fault_ends_nobody(sallyport, config, origin, certs, tmp_path):
    """A CRL that nobody renewed keeps new clients out."""
    now = datetime.datetime.now(datetime.timezone.utc)
    dates = [(now + datetime.timedelta(seconds=s)).strftime("%Y%m%d%H%M%SZ") for s in (-60, 6)]
    ca, crl = tmp_path / "ca.crt", tmp_path / "ca.crl"
    shutil.copy(certs.ca.cert, ca)
    shutil.copy(certs.crl("live-brief", certs.ca, dates=dates), crl)
    made = config(origin(echo).address, trust="clients")
    made["trust clients"] = {"ca": ca, "crl": crl}
    gate = sallyport(made)
    one = connect(gate, certs, certs.client)
    time.sleep(6 + 1)
    with pytest.raises((ConnectionError, ssl.SSLError)):
        connect(gate, certs, certs.client)
    assert gate.await_access(reason="handshake-failed")["cause"] == "crl-expired"
    assert echoes(one)
    one.close()


def test_a_list_that_came_too_late_says_who_is_revoked(sallyport, config, origin, certs, tmp_path):
    now = datetime.datetime.now(datetime.timezone.utc)
    dates = [(now + datetime.timedelta(seconds=s)).strftime("%Y%m%d%H%M%SZ") for s in (-600, -60)]
    bad, crl = certs.issue("live-late", "bad"), tmp_path / "ca.crl"
    shutil.copy(certs.crl("live-late-none", certs.ca), crl)
    made = config(origin(echo).address, trust="clients")
    made["trust clients"]["crl"] = crl
    gate = sallyport(made)
    one, other = connect(gate, certs, bad), connect(gate, certs, certs.client)
    replace(crl, certs.crl("live-late-one", certs.ca, [bad], dates=dates).read_text())
    assert gone(one) < SOON
    assert gate.await_access(reason="client-revoked")["identity"] == "cn:bad"
    assert echoes(other)
    other.close()


def test_hundreds_are_judged_in_time(live, certs):
    """And what they send meanwhile is not held up."""
    bob = certs.issue("live-bob-of-many", "bob")
    gate = live()
    ctx, ctx_bob = client.context(certs, client=certs.client), client.context(certs, client=bob)
    stay = [ctx.wrap_socket(client.dial(gate.address), server_hostname="localhost")
            for _ in range(300)]
    go = [ctx_bob.wrap_socket(client.dial(gate.address), server_hostname="localhost")
          for _ in range(20)]
    assert all(echoes(tls) for tls in stay + go)
    gate.sections["route main"]["deny"] = "cn:bob"
    gate.reconfigure(gate.sections)
    assert all(gone(tls) < SOON for tls in go)
    assert all(echoes(tls) for tls in stay)
    for tls in stay:
        tls.close()
