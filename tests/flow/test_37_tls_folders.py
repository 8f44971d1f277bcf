"""What lies in a folder of pairs: renewals under new names, numbers, hints."""

import datetime
import os
import re
import shutil
import time

import pytest

from harness import client
from harness.certs import openssl
from harness.gate import Gate, render, run
from harness.waiting import until


def in_days(n):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=n)
    return at.strftime("%Y%m%d%H%M%SZ")


@pytest.fixture(scope="module")
def lasting(certs):
    """lasting(name, days): a certificate for localhost, made once; with negative days it has
    expired."""
    made = {}

    def get(name, days, kind="ec", names="DNS:localhost,IP:127.0.0.1"):
        if name not in made:
            made[name] = certs.issue(f"lasting-{name}", name, kind=kind, usage="serverAuth",
                                     names=names, dates=(in_days(-20), in_days(days)))
        return made[name]
    return get


def put(folder, name, pair):
    shutil.copyfile(pair.key, folder / f"{name}.key")
    shutil.copyfile(pair.cert, folder / f"{name}.crt")
    (folder / f"{name}.key").chmod(0o600)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "certs.d"
    made.mkdir()
    return made


@pytest.fixture
def conf(tmp_path, folder):
    path = tmp_path / "dir.conf"
    path.write_text(render({
        "proxy": {"workers": 1}, "store s": {"dir": folder},
        "route r": {"listen": "127.0.0.1:0", "store": "s", "upstream": "builtin:page"}}))
    return path


@pytest.fixture
def serve(conf):
    made = []

    def start():
        made.append(Gate(["serve", "-c", conf]))
        return made[-1]
    yield start
    for gate in made:
        gate.close()


def serial(proxy, certs):
    tls = client.connect(proxy.address, certs)
    try:
        return tls.getpeercert()["serialNumber"]
    finally:
        tls.close()


def await_serial(proxy, certs, pair):
    until(f"{pair.serial} is served", lambda: serial(proxy, certs) == pair.serial)


# --- two pairs for one name ---

def both(served, other):
    return (rf"two pairs with one kind of key are for localhost: \S*{served}\.crt is served, "
            rf"valid until .*, and not \S*{other}\.crt, valid until .*")


@pytest.mark.parametrize("first, second, served", [("a", "z", "z"), ("z", "a", "a")])
def test_a_renewal_under_a_new_name_is_served(serve, folder, certs, lasting, first, second,
                                              served):
    put(folder, first, lasting("old", 5))
    gate = serve()
    assert serial(gate, certs) == lasting("old", 5).serial
    put(folder, second, lasting("new", 50))
    await_serial(gate, certs, lasting("new", 50))
    warned = gate.await_message(both(second, first))
    assert warned["level"] == "warn" and f"remove {folder}/{first}.crt" in warned["message"]
    # Another change is no reason to say it again, and the old one may go.
    put(folder, "m", lasting("m", 9, names="DNS:m.example"))
    gate.await_message("certificate CN=m added")
    (folder / f"{first}.crt").unlink()
    (folder / f"{first}.key").unlink()
    gate.await_message("certificate CN=old removed")
    assert serial(gate, certs) == lasting("new", 50).serial
    assert sum("two pairs" in r["message"] for r in gate.records) == 1


def test_two_of_one_name_at_the_start_and_in_check(serve, conf, folder, certs, lasting):
    put(folder, "a", lasting("old", 5))
    put(folder, "b", lasting("new", 50))
    (folder / "c").mkdir()                  # as certbot keeps them: both in one folder
    put(folder / "c", "1", lasting("older", 3))
    put(folder / "c", "2", lasting("rsa", 4, kind="rsa"))
    done = run("check", "-c", conf)
    assert done.returncode == 0, done.stdout
    warnings = [s for s in done.stdout.splitlines() if "two pairs" in s]
    assert len(warnings) == 2 and "/c/1.crt" in warnings[1]
    assert not any("/2.crt" in s for s in warnings)
    gate = serve()
    gate.await_message(both("b", "a"))
    assert serial(gate, certs) == lasting("new", 50).serial


def test_an_expired_one_that_was_renewed_keeps_nothing_from_starting(serve, conf, folder, certs,
                                                                     lasting):
    put(folder, "a", lasting("gone", -3))
    done = run("check", "-c", conf)
    assert done.returncode == 1 and "expired 3 days ago" in done.stdout
    put(folder, "b", lasting("new", 50))
    done = run("check", "-c", conf)
    assert done.returncode == 0 and "two pairs" in done.stdout, done.stdout
    gate = serve()
    assert serial(gate, certs) == lasting("new", 50).serial
    put(folder, "c", lasting("gone as well", -3, names="DNS:c.example"))
    gate.await_message("^reload failed")
    assert gate.says("gone as well expired")


def test_within_a_second(serve, folder, certs):
    """What is whole is not waited for, and what lay there before neither."""
    (folder / "stray.pem").write_text("some text\n")
    os.utime(folder / "stray.pem", (1_700_000_000, 1_700_000_000))
    put(folder, "a", certs.server)
    (folder / "s").mkdir()
    put(folder / "s", "tls", certs.server_rsa)
    time.sleep(2.1)             # what was written just before is doubted
    gate = serve()
    for n, pair in enumerate([certs.server_new, certs.server, certs.server_new]):
        (folder / "s" / f"{n}.txt").write_text("all is looked at again")
        at = time.monotonic()
        for path, name in ((pair.key, "a.key"), (pair.cert, "a.crt")):
            shutil.copyfile(path, folder / ".new")
            os.replace(folder / ".new", folder / name)
        await_serial(gate, certs, pair)
        if "build-san" not in os.environ.get("SALLYPORT", ""):
            assert time.monotonic() - at < 1.0


# --- numbers ---

def test_the_numbers_are_told(serve, conf, folder, certs, lasting):
    put(folder, "b", lasting("b", 9, names="DNS:b.example,DNS:www.b.example"))
    put(folder, "a", lasting("new", 50))
    put(folder, "a2", lasting("rsa", 4, kind="rsa"))
    said = "3 pairs for 3 names; who asks for no name, or for one that none of them has, gets " \
           f"CN=new ({folder}/a.crt)"
    assert said in run("check", "-c", conf).stdout
    gate = serve()
    started = gate.await_message("^sallyport .* started")
    assert (started["pairs"], started["names"]) == ("3", "3")
    assert gate.says(said.replace("(", r"\(").replace(")", r"\)"))
    put(folder, "0", lasting("m", 9, names="DNS:m.example"))
    done = gate.await_message("^reload done")
    assert (done["pairs"], done["names"]) == ("4", "4")
    gate.await_message(r"4 pairs for 4 names; .*gets CN=m \(\S*/0\.crt\)")


# --- hints ---

@pytest.mark.parametrize("gone, reason", [
    ("key", "no private key for the certificate"), ("crt", "no certificate for the private key")])
def test_hints_are_about_the_folder(conf, folder, certs, gone, reason):
    put(folder, "a", certs.server)
    put(folder, "b", certs.server_rsa)
    (folder / f"b.{gone}").unlink()
    done = run("check", "-c", conf)
    complaint, = [s for s in done.stdout.splitlines() if "error" in s and reason in s]
    assert "beside it, with the same name up to the ending" in complaint
    assert "name the folder above it" in complaint and "key = FILE" not in complaint


# --- what lies there besides ---

def request(certs):
    return (certs.dir / "server.csr").read_text()


def parameters(_certs):
    return "-----BEGIN DH PARAMETERS-----\nMAYCAQcCAQI=\n-----END DH PARAMETERS-----\n"


def revocation(certs):
    path = certs.dir / "folder-stray.crl"
    return (path if path.exists() else certs.crl("folder-stray", certs.ca)).read_text()


STRAYS = {
    "CSR": (request, "a certificate signing request"),
    "CRL": (revocation, "a certificate revocation list"),
    "DH": (parameters, "a file of parameters"),
    "text": (lambda _c: "Put certificates here.\n", "neither PEM nor DER, but other text"),
    "empty": (lambda _c: "", "is empty"),
}


@pytest.mark.parametrize("what", STRAYS)
def test_what_is_plainly_something_else_is_passed_over(serve, conf, folder, certs, what):
    content, said = STRAYS[what]
    put(folder, "a", certs.server)
    (folder / "stray.pem").write_text(content(certs))
    done = run("check", "-c", conf)
    warning, = [s for s in done.stdout.splitlines() if "passed over" in s]
    assert done.returncode == 0 and "stray.pem" in warning and said in warning
    gate = serve()
    put(folder, "a", certs.server_new)
    await_serial(gate, certs, certs.server_new)

    # One that comes while it runs, and in a subfolder.
    (folder / "s").mkdir()
    put(folder / "s", "tls", certs.server_rsa)
    (folder / "s" / "more.pem").write_text(content(certs))
    gate.await_message("passed over.*/s/more.pem")
    gate.await_message("^reload done")
    put(folder, "a", certs.server)
    await_serial(gate, certs, certs.server)
    assert not gate.says("^reload failed")


@pytest.mark.parametrize("what", STRAYS)
@pytest.mark.parametrize("spoilt", [["a.crt"], ["a.key"], ["a.crt", "a.key"], ["s/tls.key"]],
                         ids="+".join)
def test_but_not_in_the_place_of_what_is_served(serve, folder, certs, lasting, what, spoilt):
    content, said = STRAYS[what]
    put(folder, "a", certs.server)
    put(folder, "b", lasting("b", 9, names="DNS:b.example"))
    (folder / "s").mkdir()
    put(folder / "s", "tls", lasting("s", 9, names="DNS:s.example"))
    gate = serve()
    for name in spoilt:
        (folder / name).write_text(content(certs))
    failed = gate.await_message("^reload failed")
    assert failed["message"] == "reload failed: generation 1 stays in force"
    for name in spoilt:
        assert gate.says(f'/{name}": it .*{said}')
    assert serial(gate, certs) == certs.server.serial


@pytest.mark.parametrize("there", ["key", "crt"])
def test_nor_in_that_of_a_pair_that_is_being_written(serve, folder, certs, lasting, there):
    put(folder, "a", lasting("old", 5))
    gate = serve()
    put(folder, "b", certs.server)
    (folder / f"b.{'crt' if there == 'key' else 'key'}").write_text("")
    gate.await_message("^reload failed")
    assert gate.says(r'/b\.(crt|key)": it is empty')
    put(folder, "b", certs.server)
    await_serial(gate, certs, certs.server)


def test_one_that_is_damaged_is_an_error(conf, folder, certs):
    put(folder, "a", certs.server)
    text = certs.server.cert.read_text()
    for name, content in {"half": text[:len(text) // 2], "no-begin": text[28:],
                          "part-of-begin": text[:9]}.items():
        (folder / f"{name}.pem").write_text(content)
        done = run("check", "-c", conf)
        assert done.returncode == 1 and f"{name}.pem" in done.stdout, done.stdout
        (folder / f"{name}.pem").unlink()


def test_a_ca_in_the_place_of_what_is_served(serve, folder, certs, lasting):
    put(folder, "a", certs.server)
    put(folder, "b", lasting("b", 9, names="DNS:b.example"))
    gate = serve()
    shutil.copyfile(certs.ca.cert, folder / "b.crt")
    (folder / "b.key").unlink()
    gate.await_message("^reload failed")
    assert gate.says("the pair that is served is not in its files any more")


def test_keystores_and_truststores(conf, folder, certs):
    put(folder, "a", certs.server)
    openssl("pkcs12", "-export", "-inkey", certs.server_rsa.key, "-in", certs.server_rsa.cert,
            "-out", folder / "b.KeyStore", "-passout", "pass:secret")
    openssl("pkcs12", "-export", "-nokeys", "-in", certs.ca.cert, "-out", folder / "ca.p12",
            "-passout", "pass:secret")
    (folder / "c.truststore").write_bytes(b"")
    (folder / "s" / "deep").mkdir(parents=True)
    put(folder / "s" / "deep", "tls", certs.server_new)
    password = certs.file("folders-password", "secret\n")
    password.chmod(0o600)
    conf.write_text(conf.read_text().replace("[route", f"password_file = {password}\n[route"))
    done = run("check", "-c", conf)
    assert done.returncode == 0, done.stdout
    assert "dir: 2 pairs" in done.stdout
    assert re.search(r"passed over: .*ca\.p12 is a PKCS#12 keystore without a private key "
                     r"\(1 trusted certificate\)", done.stdout)
    assert "not looked at: " + str(folder / "c.truststore") in done.stdout
    assert "not looked at: " + str(folder / "s/deep") in done.stdout
