"""What check says of certificates, keys and CAs that can be read: few words, each with the fix."""

import os
import re
import shutil
import subprocess

import pytest

from harness import certs as certs_module
from harness import gate
from harness.certs import CA_EXT, LEAF_EXT, Pair, openssl
from harness.gate import render

SERVER_EXT = LEAF_EXT + "extendedKeyUsage=serverAuth\n"
NAMED = f"subjectAltName={certs_module.SERVER_NAMES}\n"
WEAK = {"ciphers": "DEFAULT@SECLEVEL=0"}


def findings(tmp_path, sections, alone=False):
    """The lines with errors, warnings and notes of `check` about files, and its exit code; the
    notes on certificates that are sent `alone`, as most are here, only where they are wanted."""
    path = tmp_path / "files.conf"
    path.write_text(render(sections))
    done = gate.run("check", "-c", path)
    lines = done.stdout.splitlines()
    said = [s for s in lines if re.search(r"(error|warning|note): \[(store|trust|route) ", s)]
    told = re.compile(r"note: \[store .* (holds no issuer of|is self-signed; clients)")
    return [s for s in said if alone or not told.search(s)], done.returncode


def mid(certs):
    if not hasattr(certs, "check_mid"):
        certs.check_mid = certs.issue("check-mid", "Mid", ext=CA_EXT)
    return certs.check_mid


def below_mid(certs, name, more=""):
    return certs.issue(name, "localhost", ca=mid(certs), ext=SERVER_EXT + NAMED + more)


def joined(certs, pair, *above):
    path = pair.cert.with_suffix(".chain")
    path.write_text("".join(p.read_text() for p in [pair.cert, *above]))
    return Pair(path, pair.key)


def by_hand(certs, name, key_args, x509_args, ext):
    """A certificate that certs.issue() would not make."""
    key, csr, cert = (certs.dir / f"{name}.{end}" for end in ("key", "csr", "crt"))
    openssl("genpkey", *key_args, "-out", key)
    openssl("req", "-new", "-key", key, "-out", csr, "-subj", "/CN=localhost",
            "-config", certs._config(f"{name}-req", ""))
    how = ["-extfile", certs.file(f"{name}.ext", ext)] if ext else []
    openssl("x509", "-req", "-in", csr, "-CA", certs.ca.cert, "-CAkey", certs.ca.key,
            "-set_serial", "7", "-days", "9", "-out", cert, *how, *x509_args)
    return Pair(cert, key)


EC = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]


def reversed_chain(certs):
    pair = below_mid(certs, "check-reversed")
    path = certs.file("check-reversed.chain", mid(certs).cert.read_text() + pair.cert.read_text())
    return Pair(path, pair.key)


GOOD = {
    "of a root": lambda c: c.server,
    "with its intermediate": lambda c: joined(c, below_mid(c, "check-whole"), mid(c).cert),
    "with its root too": lambda c: joined(c, below_mid(c, "check-root"), mid(c).cert, c.ca.cert),
    "RSA": lambda c: c.server_rsa,
}

# What the one warning says, and the fix in brackets behind it.
WARNINGS = {
    "intermediate missing": (
        lambda c: below_mid(c, "check-alone", "authorityInfoAccess=caIssuers;URI:http://ca.x/m\n"),
        r"the certificate of the issuer CN=Mid is missing", r"append the CA's intermediate", {}),
    "wrong order": (reversed_chain, r"begins with CN=Mid, an issuer",
                    r"put the server's own certificate first", {}),
    "a stranger in the file": (
        lambda c: joined(c, c.server_new, c.other_ca.cert),
        r"CN=Other CA is in no chain", r"remove it", {}),
    "no name": (lambda c: c.issue("check-nameless", "localhost", usage="serverAuth"),
                r"no subject alternative name", r"subjectAltName=DNS:NAME", {}),
    "SHA-1": (lambda c: by_hand(c, "check-sha1", EC, ["-sha1"], SERVER_EXT + NAMED),
              r"CN=localhost is signed with SHA-1", r"SHA-256", WEAK),
    "RSA 1024": (lambda c: by_hand(c, "check-short", ["-algorithm", "RSA", "-pkeyopt",
                                                      "rsa_keygen_bits:1024"], [],
                                   SERVER_EXT + NAMED),
                 r"the RSA key of CN=localhost has 1024 bits only", r"2048 bits or more", WEAK),
}


@pytest.mark.parametrize("case", GOOD)
def test_nothing_to_say(config, certs, tmp_path, case):
    pair = GOOD[case](certs)
    sections = config("127.0.0.1:9", store={"cert": pair.cert, "key": pair.key}, trust="clients")
    assert findings(tmp_path, sections) == ([], 0)


@pytest.mark.parametrize("case", WARNINGS)
def test_one_warning(config, certs, tmp_path, case):
    make, words, fix, route = WARNINGS[case]
    pair = make(certs)
    sections = config("127.0.0.1:9", store={"cert": pair.cert, "key": pair.key}, **route)
    (line,), code = findings(tmp_path, sections)
    assert "warning: [store node] cert" in line and code == 0, line
    assert re.search(words + r".*\(.*" + fix, line), line


def self_signed(certs):
    pair = Pair(certs.dir / "check-self.crt", certs.dir / "check-self.key")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", pair.key, "-out",
            pair.cert, "-days", "90", "-subj", "/CN=self", "-addext", "subjectAltName=DNS:self")
    return pair


SENT_ALONE = {
    "issued by some CA": (lambda c: c.server,
                          r"the file holds no issuer of CN=localhost; that is right if CN=.* is a "
                          r"root .*\(otherwise append the issuer's certificate to the file\)"),
    "self-signed": (self_signed, r"is self-signed; clients must be given it itself$"),
}


@pytest.mark.parametrize("case", SENT_ALONE)
def test_a_note_where_the_file_holds_no_issuer(config, certs, tmp_path, case):
    """It is what a private CA's users have, so a start does not repeat it."""
    make, words = SENT_ALONE[case]
    pair = make(certs)
    sections = config("127.0.0.1:9", store={"cert": pair.cert, "key": pair.key})
    (line,), code = findings(tmp_path, sections, alone=True)
    assert code == 0 and "note: [store node] cert" in line and re.search(words, line), line
    whole = joined(certs, below_mid(certs, "check-not-alone"), mid(certs).cert)
    sections["store node"] = {"cert": whole.cert, "key": whole.key}
    assert findings(tmp_path, sections, alone=True) == ([], 0)


def test_a_folder_of_one_ca_is_noted_once(config, certs, tmp_path):
    folder = tmp_path / "pairs"
    folder.mkdir()
    for name, pair in (("a", certs.server), ("b", certs.server_rsa)):
        shutil.copy(pair.cert, folder / f"{name}.crt")
        shutil.copy(pair.key, folder / f"{name}.key")
    (line, numbers), code = findings(tmp_path, config("127.0.0.1:9", store={"dir": folder}),
                                     alone=True)
    assert "dir: 2 pairs for" in numbers
    assert code == 0 and "holds no issuer of" in line


def test_version_1_has_no_names_either(config, certs, tmp_path):
    pair = by_hand(certs, "check-v1", EC, [], "")
    if "Version: 1" not in openssl("x509", "-in", pair.cert, "-noout", "-text"):
        pytest.skip("this openssl makes no version 1 certificates")
    lines, code = findings(tmp_path, config("127.0.0.1:9", store={"cert": pair.cert,
                                                                  "key": pair.key}))
    assert code == 0 and len(lines) == 2, lines
    assert "X.509 version 1" in lines[0] and "no subject alternative name" in lines[1]


def test_a_dsa_key(config, certs, tmp_path):
    params, key = certs.dir / "dsa.params", certs.dir / "dsa.key"
    openssl("genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:1024",
            "-out", params)
    openssl("genpkey", "-paramfile", params, "-out", key)
    (line,), code = findings(tmp_path, config("127.0.0.1:9", store={"cert": certs.server.cert,
                                                                    "key": key}))
    assert code == 1 and "is a DSA key" in line and "-keyalg RSA" in line


NOT_COVERED = "no certificate of [store node] is for this name; they are for "


@pytest.mark.parametrize("sni, names", [
    ("service.example", None),
    ("SERVICE.example, localhost", None),
    ("a.wild.example, *.wild.example", None),
    ("*.host.example", None),           # by one.host.example, at least
    ("example", "localhost, service.example, *.wild.example, one.host.example"),
    ("a.b.wild.example", "localhost, service.example, *.wild.example, one.host.example"),
    ("wild.example", "localhost, service.example, *.wild.example, one.host.example"),
    ("*.example.org", "localhost, service.example, *.wild.example, one.host.example"),
])
def test_a_name_that_no_certificate_is_for(config, certs, tmp_path, sni, names):
    if not hasattr(certs, "check_names"):
        certs.check_names = certs.issue("check-names", "localhost", usage="serverAuth", names=(
            "DNS:localhost,DNS:service.example,DNS:*.wild.example,DNS:one.host.example"))
    pair = certs.check_names
    sections = config("127.0.0.1:9", store={"cert": pair.cert, "key": pair.key}, sni=sni)
    said, code = findings(tmp_path, sections)
    assert code == 0 and len(said) == (names is not None), said
    if names:
        assert f'warning: [route main] sni = "{sni}": {NOT_COVERED}{names} (add a' in said[0]


def test_of_many_names_some_are_told(config, certs, tmp_path):
    pair = certs.issue("check-many", "localhost", usage="serverAuth",
                       names=",".join(f"DNS:n{i}.example" for i in range(20)))
    sections = config("127.0.0.1:9", store={"cert": pair.cert, "key": pair.key}, sni="n20.example")
    (line,), _ = findings(tmp_path, sections)
    assert NOT_COVERED + "n0.example, " in line and "n5.example and 14 more (" in line


CAS = {
    "no CA at all": ("note", "basicConstraints=CA:FALSE",
                     r"is self-signed and no CA.*basicConstraints = critical, CA:TRUE"),
    "no keyCertSign": ("warning", "basicConstraints=critical,CA:TRUE\nkeyUsage=cRLSign",
                       r"key usage lacks keyCertSign.*\(make the CA's certificate again"),
    "no CA:TRUE": ("warning", "basicConstraints=CA:FALSE\nkeyUsage=keyCertSign",
                   r"no CA:TRUE.*\(make the CA's certificate again"),
}


@pytest.mark.parametrize("case", CAS)
def test_a_ca_that_is_none(config, certs, tmp_path, case):
    level, ext, words = CAS[case]
    key, cert = certs.new_key(f"ca-{case}"), certs.dir / f"ca-{case}.crt"
    cnf = certs._config(f"ca-{case}", f"[ext]\n{ext}\n")
    openssl("req", "-x509", "-new", "-key", key, "-out", cert, "-subj", "/CN=No CA", "-days", "9",
            "-config", cnf, "-extensions", "ext")
    sections = config("127.0.0.1:9", trust="clients")
    sections["trust clients"]["ca"] = cert
    (line,), code = findings(tmp_path, sections)
    assert code == 0 and f"{level}: [trust clients] ca" in line, line
    assert re.search(words, line), line


@pytest.fixture
def opened(certs, open_folder):
    """Copies in a folder that everybody may enter, with modes of one's own."""
    def copy(path, mode):
        copied = shutil.copy(path, open_folder / path.name)
        os.chmod(copied, mode)
        return copied
    return copy


MODES = {0o600: False, 0o640: False, 0o644: True, 0o604: True}


@pytest.mark.parametrize("mode", MODES, ids=oct)
def test_a_key_that_lies_open(config, certs, opened, tmp_path, mode):
    key = opened(certs.server.key, mode)
    lines, code = findings(tmp_path, config("127.0.0.1:9", store={"cert": certs.server.cert,
                                                                  "key": key}))
    assert code == 0 and len(lines) == MODES[mode], lines
    for line in lines:
        assert "warning: [store node] key" in line
        assert f'"{key}": everybody on this machine can read the private key in it' in line
        assert f"mode {mode:04o}" in line and f"(chmod o-rwx {key})" in line


def test_a_folder_of_open_keys_is_one_warning(config, certs, opened, open_folder, tmp_path):
    for pair in (certs.server, certs.server_rsa):
        opened(pair.cert, 0o644)
        opened(pair.key, 0o644)
    (line, numbers), code = findings(tmp_path, config("127.0.0.1:9", store={"dir": open_folder}))
    assert "note: [store node] dir: 2 pairs" in numbers
    assert code == 0 and "warning: [store node] dir" in line
    assert "can read the private key in" in line and "the others of the folder" in line


def test_a_folder_keeps_a_key(config, certs, open_folder, opened, tmp_path):
    """Also behind a link from a folder that does not: what counts is where the file lies."""
    folder = open_folder / "private"
    folder.mkdir(mode=0o700)
    shutil.copy(certs.server.key, folder / "key")
    os.chmod(folder / "key", 0o644)
    os.symlink(folder / "key", open_folder / "link")
    for key in (folder / "key", open_folder / "link"):
        assert findings(tmp_path, config("127.0.0.1:9", store={"cert": certs.server.cert,
                                                               "key": key})) == ([], 0)


def test_a_password_keeps_a_key_and_must_be_kept(config, certs, opened, tmp_path):
    key = opened(certs.server_encrypted.key, 0o644)
    store = {"cert": certs.server.cert, "key": key, "password_file": certs.password_file}
    assert findings(tmp_path, config("127.0.0.1:9", store=store)) == ([], 0)
    password = opened(certs.password_file, 0o644)
    (line,), code = findings(tmp_path, config("127.0.0.1:9",
                                              store={**store, "password_file": password}))
    assert code == 0 and "warning: [store node] password_file" in line
    assert "everybody on this machine can read the password" in line
    assert f"(chmod o-rwx {password})" in line


def test_each_pair_of_a_folder_is_proved(certs, tmp_path):
    """OpenSSL would refuse it, but not before a client asks for its name."""
    folder = tmp_path / "pairs"
    folder.mkdir()
    shutil.copy(certs.server.cert, folder / "a.crt")
    shutil.copy(certs.server.key, folder / "a.key")
    openssl("req", "-x509", "-newkey", "rsa:1024", "-nodes", "-keyout", folder / "b.key",
            "-out", folder / "b.crt", "-subj", "/CN=weak", "-addext", "subjectAltName=DNS:weak")
    route = {"listen": "127.0.0.1:0", "upstream": "127.0.0.1:1", "store": "s"}
    strict = {"ciphers": "DEFAULT@SECLEVEL=2"}
    for more, code in ((strict, 1), (WEAK, 0)):
        said, exit_code = findings(tmp_path, {"store s": {"dir": folder},
                                              "route r": {**route, **more}})
        assert exit_code == code
        assert any("OpenSSL refuses the certificate CN=weak" in s for s in said) == (code == 1)


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen")
@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_the_way_out_for_an_openssh_key_works(config, certs, tmp_path, kind):
    key = tmp_path / kind
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", key], check=True)
    (line,), code = findings(tmp_path, config("127.0.0.1:9", store={"cert": certs.server.cert,
                                                                    "key": key}))
    assert code == 1 and "is an OpenSSH private key" in line, line
    if kind == "ed25519":
        command = re.search(r"\((openssl genpkey .*) FILE\)", line).group(1) + f" {key}.pem"
    else:
        command = re.search(r"\(convert a copy: (cp .*)\)$", line).group(1)
        command = command.replace("-p -m", "-p -P '' -N '' -m")     # what it asks for
    subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL)
    assert "PRIVATE KEY" in openssl("pkey", "-in", f"{key}.pem")


def test_what_is_no_configuration_is_one_finding(certs):
    der = certs.dir / "check.der"
    openssl("pkcs12", "-export", "-in", certs.server.cert, "-inkey", certs.server.key,
            "-passout", "pass:changeit", "-out", der)
    for path in (der, certs.server.cert):
        done = gate.run("check", "-c", path)
        assert done.returncode == 1 and done.stdout.count("error: ") == 1, done.stdout
        assert "not a configuration" in done.stdout
