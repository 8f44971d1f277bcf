"""Which certificate a client gets: by the name it asks for, out of a folder or a list."""

import os
import shutil
import ssl
import subprocess
import time

import pytest

from harness import client
from harness.certs import openssl
from harness.gate import run
from harness.origin import echo
from harness.waiting import until


@pytest.fixture(scope="module")
def named(certs):
    """named(name, names): a server certificate, made once."""
    made = {}

    def get(name, *names, kind="ec"):
        if name not in made:
            made[name] = certs.issue(f"named-{name}", name, kind=kind, usage="serverAuth",
                                     names=",".join(f"DNS:{n}" for n in names or (name,)))
        return made[name]
    return get


def put(folder, name, pair):
    shutil.copyfile(pair.key, folder / f"{name}.key")
    shutil.copyfile(pair.cert, folder / f"{name}.crt")


def put_joined(path, pair):
    path.write_text(pair.key.read_text() + pair.cert.read_text())


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "certs.d"
    made.mkdir()
    return made


@pytest.fixture
def serve(sallyport, origin):
    """serve(store=…): one route in front of an echo."""
    upstream = origin(echo).address

    def start(store, route="", proxy="workers = 2"):
        return sallyport(f"[proxy]\n{proxy}\n[store s]\n{store}\n[route main]\n"
                         f"listen = 127.0.0.1:0\nstore = s\nupstream = {upstream}\n{route}\n")
    return start


def shown(address, certs, name):
    """The serial of what a client that asks for `name` (None: for none) is shown."""
    ctx = client.context(certs, check="chain")
    with client.dial(address) as raw, ctx.wrap_socket(raw, server_hostname=name) as tls:
        der = tls.getpeercert(binary_form=True)
    pem = ssl.DER_cert_to_PEM_cert(der)
    text = subprocess.run(["openssl", "x509", "-noout", "-serial"], input=pem, text=True,
                          capture_output=True, check=True).stdout
    return text.split("=")[1].strip()


def test_exact_wildcard_default(serve, folder, certs, named):
    put(folder, "b", named("b", "b.example", "www.b.example"))
    put(folder, "a", named("a", "a.example"))
    put_joined(folder / "wild.pem", named("wild", "*.apps.example"))
    put(folder, "x", named("x", "x.apps.example"))
    gate = serve(f"dir = {folder}")
    for name, of in [("a.example", "a"), ("B.Example", "b"), ("www.b.example", "b"),
                     ("y.apps.example", "wild"), ("x.apps.example", "x"),
                     ("z.y.apps.example", "a"), ("apps.example", "a"), ("other.example", "a"),
                     (None, "a")]:
        assert shown(gate.address, certs, name) == named(of).serial, name


def test_a_list_of_files_is_chosen_from_as_well(serve, certs, named):
    one, two = named("one", "one.example"), named("two", "two.example")
    gate = serve(f"cert = {one.cert}\ncert = {two.cert}\nkey = {one.key}\nkey = {two.key}")
    assert shown(gate.address, certs, "two.example") == two.serial
    assert shown(gate.address, certs, "one.example") == one.serial
    assert shown(gate.address, certs, None) == one.serial


def s_client(address, *args):
    host, port = address
    done = subprocess.run(["openssl", "s_client", "-connect", f"{host}:{port}", *args],
                          input="", capture_output=True, text=True, timeout=30)
    return done.stdout + done.stderr


@pytest.mark.parametrize("version, ecdsa, rsa", [
    ("-tls1_3", ["-sigalgs", "ecdsa_secp256r1_sha256"], ["-sigalgs", "rsa_pss_rsae_sha256"]),
    ("-tls1_2", ["-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
     ["-cipher", "ECDHE-RSA-AES128-GCM-SHA256"])], ids=["1.3", "1.2"])
def test_two_key_types_for_one_name(serve, folder, certs, named, version, ecdsa, rsa):
    put(folder, "a", named("a", "a.example"))
    put(folder, "ec", named("both-ec", "both.example"))
    put(folder, "rsa", named("both-rsa", "both.example", kind="rsa"))
    gate = serve(f"dir = {folder}")
    for how, kind in ((ecdsa, "id-ecPublicKey"), (rsa, "rsaEncryption")):
        said = s_client(gate.address, version, "-servername", "both.example", "-showcerts", *how)
        pem = said[said.index("-----BEGIN"):said.index("-----END") + 25] + "\n"
        text = subprocess.run(["openssl", "x509", "-noout", "-text"], input=pem, text=True,
                              capture_output=True, check=True).stdout
        assert kind in text


def test_layouts_that_people_have(serve, folder, certs, named):
    mid = certs.issue("named-mid", "Names CA", ext="basicConstraints=critical,CA:TRUE\n"
                                                   "keyUsage=keyCertSign\n")
    leaf = certs.issue("named-le", "le.example", ca=mid, usage="serverAuth",
                       names="DNS:le.example")
    live, flat, p12 = folder / "le.example", named("flat", "flat.example"), named("p", "p.example")
    live.mkdir()
    shutil.copyfile(leaf.key, live / "privkey.pem")
    shutil.copyfile(leaf.cert, live / "cert.pem")
    shutil.copyfile(mid.cert, live / "chain.pem")
    (live / "fullchain.pem").write_text(leaf.cert.read_text() + mid.cert.read_text())
    (live / "README").write_text("not a certificate\n")
    put_joined(folder / "flat.pem", flat)
    shutil.copyfile(certs.ca.cert, folder / "ca.crt")
    openssl("pkcs12", "-export", "-inkey", p12.key, "-in", p12.cert, "-out", folder / "p.p12",
            "-passout", "pass:secret")
    (folder / "notes.txt").write_text("hello\n")
    (folder / "..2026").mkdir()
    password = certs.file("folder-password", "secret\n")
    password.chmod(0o600)
    gate = serve(f"dir = {folder}\npassword_file = {password}")
    # Only with its intermediate does this chain reach the CA that the client knows.
    assert shown(gate.address, certs, "le.example") == leaf.serial
    assert shown(gate.address, certs, "p.example") == p12.serial
    assert shown(gate.address, certs, "flat.example") == flat.serial


def test_pairs_come_go_and_change(serve, folder, certs, named):
    for name in "abc":
        put(folder, name, named(name, f"{name}.example"))
    gate = serve(f"dir = {folder}")
    gate.await_message("^sallyport .* started")

    put(folder, "d", named("d", "d.example"))
    gate.await_message(r"certificate CN=d added")
    assert shown(gate.address, certs, "d.example") == named("d").serial

    again = named("b2", "b.example")
    shutil.copyfile(again.key, folder / "b.key")        # key first: half of a change
    shutil.copyfile(again.cert, folder / "b.crt")
    until("b is the new one",
          lambda: shown(gate.address, certs, "b.example") == again.serial)

    (folder / "a.crt").unlink()
    (folder / "a.key").unlink()
    gate.await_message(r"certificate CN=a removed")
    assert shown(gate.address, certs, "a.example") == again.serial      # now the first
    for name in "cd":
        assert shown(gate.address, certs, f"{name}.example") == named(name).serial
    assert not gate.says("reload failed")


@pytest.mark.parametrize("spoil, reason", [
    (lambda f: (f / "b.key").unlink(), "no private key for the certificate CN=b"),
    (lambda f: (f / "b.crt").unlink(), "b.key\": no certificate for the private key in it"),
    (lambda f: shutil.copyfile(f / "a.key", f / "b.key"), "b.key.* does not belong|b.crt"),
    (lambda f: (f / "b.crt").write_text("-----BEGIN CERTIFICATE-----\n"), "b.crt"),
    (lambda f: (f / "b.crt").write_text(""), "b.crt"),
], ids=["no key", "no certificate", "another's key", "half", "empty"])
def test_one_bad_pair_changes_nothing(serve, folder, certs, named, spoil, reason):
    for name in "abc":
        put(folder, name, named(name, f"{name}.example"))
    gate = serve(f"dir = {folder}")
    gate.await_message("^sallyport .* started")
    put(folder, "c", named("c2", "c.example"))
    spoil(folder)
    gate.await_message("reload failed: generation 1 stays in force")
    assert gate.says(reason)
    assert shown(gate.address, certs, "b.example") == named("b").serial
    put(folder, "b", named("b", "b.example"))
    until("with b whole again, c is the new one",
          lambda: shown(gate.address, certs, "c.example") == named("c2").serial)


def test_a_file_that_is_touched_is_nothing(serve, folder, certs, named):
    """Nor is one that is looked at again when it has grown older than the clock is coarse."""
    for name in "ab":
        put(folder, name, named(name, f"{name}.example"))
    gate = serve(f"dir = {folder}")
    gate.await_message("^sallyport .* started")
    for _ in range(3):
        put(folder, "a", named("a", "a.example"))
        (folder / "sub").mkdir()            # what is no file makes all be looked at
        (folder / "sub").rmdir()
        time.sleep(0.9)
    assert not gate.says("reload")


def test_a_subfolder_is_followed(serve, folder, certs, named):
    put(folder, "a", named("a", "a.example"))
    (folder / "s").mkdir()
    put(folder / "s", "tls", named("s", "s.example"))
    gate = serve(f"dir = {folder}")
    assert shown(gate.address, certs, "s.example") == named("s").serial
    put(folder / "s", "tls", named("s2", "s.example"))
    until("the new one",
          lambda: shown(gate.address, certs, "s.example") == named("s2").serial)
    shutil.rmtree(folder / "s")
    until("the first",
          lambda: shown(gate.address, certs, "s.example") == named("a").serial)


def test_a_swapped_link_changes_all(serve, folder, certs, named):
    """All files of a mounted secret change by one rename of `..data`."""
    for stamp, of in (("..1", "m1"), ("..2", "m2")):
        (folder / stamp).mkdir()
        put(folder / stamp, "tls", named(of, "m.example"))
    os.symlink("..1", folder / "..data")
    for name in ("tls.crt", "tls.key"):
        os.symlink(f"..data/{name}", folder / name)
    gate = serve(f"dir = {folder}")
    assert shown(gate.address, certs, "m.example") == named("m1").serial
    os.symlink("..2", folder / "..data_tmp")
    os.replace(folder / "..data_tmp", folder / "..data")
    until("the new one",
          lambda: shown(gate.address, certs, "m.example") == named("m2").serial)


@pytest.mark.parametrize("store, reason", [
    ("dir = {f}/none", "the folder cannot be read: No such file"),
    ("dir = {f}/file", "the folder cannot be read: Not a directory"),
    ("dir = {f}", "no certificate with its key in the folder"),
    ("dir = {f}\ncert = {f}/file", "cannot be mixed with cert"),
], ids=["missing", "a file", "empty", "mixed"])
def test_folders_that_are_none(tmp_path, folder, store, reason):
    (folder / "file").write_text("x")
    conf = tmp_path / "t.conf"
    conf.write_text(f"[store s]\n{store.format(f=folder)}\n[route r]\nlisten = 127.0.0.1:0\n"
                    "store = s\nupstream = 127.0.0.1:9\n")
    done = run("check", "-c", conf)
    assert done.returncode == 1
    assert reason in done.stdout + done.stderr
