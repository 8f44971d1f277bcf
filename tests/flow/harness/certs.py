"""Certificates of every kind the tests need, made by the openssl command once a run."""

import functools
import pathlib
import secrets
import subprocess

SERVER_NAMES = "DNS:localhost,DNS:service.example,IP:127.0.0.1,IP:::1"
CA_EXT = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
LEAF_EXT = "basicConstraints=critical,CA:FALSE\n"


def openssl(*args, **kwargs):
    done = subprocess.run(["openssl", *map(str, args)], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=60, **kwargs)
    assert done.returncode == 0, f"openssl {args[0]}: {done.stderr}"
    return done.stdout


class Pair:
    """A certificate and its key: PEM files, and what the certificate says."""

    def __init__(self, cert, key):
        self.cert, self.key = cert, key

    @functools.cached_property
    def serial(self):
        return openssl("x509", "-in", self.cert, "-noout", "-serial").split("=")[1].strip()


class Certs:
    """ca, other_ca; server (ECDSA), server_rsa; clients good and bad. Made when first asked for."""

    def __init__(self, folder):
        self.dir = pathlib.Path(folder)

    def new_key(self, name, kind="ec"):
        key = self.dir / f"{name}.key"
        how = ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ec" else ["RSA"]
        openssl("genpkey", "-algorithm", *how, "-out", key)
        return key

    def authority(self, name, cn):
        key, cert = self.new_key(name), self.dir / f"{name}.crt"
        openssl("req", "-x509", "-new", "-key", key, "-out", cert, "-subj", f"/CN={cn}",
                "-days", "30", "-config", self._config(f"{name}-self", ""),
                "-addext", "basicConstraints=critical,CA:TRUE",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        return Pair(cert, key)

    def _config(self, name, text):
        path = self.dir / f"{name}.cnf"
        path.write_text("[req]\nutf8=yes\ndistinguished_name=dn\n[dn]\n" + text)
        return path

    def issue(self, name, cn, ca=None, kind="ec", usage="clientAuth", names=None, ext="",
              dates=None):
        """Sign a leaf. dates: ("20200101000000Z", "20210101000000Z") for one of the past."""
        ca = ca or self.ca
        key = self.new_key(name, kind)
        cert, csr = self.dir / f"{name}.crt", self.dir / f"{name}.csr"
        text = ext or LEAF_EXT + f"extendedKeyUsage={usage}\n"
        if names:
            text += f"subjectAltName={names}\n"
        openssl("req", "-new", "-key", key, "-out", csr, "-subj", f"/CN={cn}",
                "-config", self._config(f"{name}-req", ""))
        if dates:
            self._sign_dated(name, csr, cert, ca, text, dates)
        else:
            extfile = self.dir / f"{name}.ext"
            extfile.write_text(text)
            openssl("x509", "-req", "-in", csr, "-CA", ca.cert, "-CAkey", ca.key,
                    "-set_serial", secrets.randbits(62), "-out", cert,
                    "-days", "29", "-extfile", extfile)
        return Pair(cert, key)

    def _sign_dated(self, name, csr, cert, ca, ext, dates):
        """Only `openssl ca` sets dates on every version in use."""
        folder = self.dir / f"{name}-ca"
        folder.mkdir()
        (folder / "index.txt").touch()
        config = self._config(f"{name}-ca", (
            f"[ca]\ndefault_ca=here\n[here]\ndatabase={folder}/index.txt\n"
            f"new_certs_dir={folder}\nrand_serial=yes\ndefault_md=sha256\npolicy=any\n"
            f"x509_extensions=ext\n[any]\ncommonName=supplied\n[ext]\n{ext}"))
        openssl("ca", "-batch", "-config", config, "-in", csr, "-out", cert, "-notext",
                "-cert", ca.cert, "-keyfile", ca.key,
                "-startdate", dates[0], "-enddate", dates[1])

    def crl(self, name, ca, revoked=(), reason="keyCompromise", dates=None):
        """A CRL of `ca` that revokes these pairs. dates: (last update, next update), as for
        issue(); else from now for 10 days."""
        folder = self.dir / f"{name}-crl"
        folder.mkdir()
        lines = [f"R\t991231235959Z\t260101000000Z,{reason}\t{p.serial}\tunknown\t/CN=x\n"
                 for p in revoked]
        (folder / "index.txt").write_text("".join(lines))
        (folder / "crlnumber").write_text("01\n")
        config = self._config(f"{name}-crl", (
            f"[ca]\ndefault_ca=here\n[here]\ndatabase={folder}/index.txt\n"
            f"crlnumber={folder}/crlnumber\ndefault_md=sha256\ndefault_crl_days=10\n"
            "crl_extensions=ext\n[ext]\nauthorityKeyIdentifier=keyid\n"))
        path = self.dir / f"{name}.crl"
        when = ("-crl_lastupdate", dates[0], "-crl_nextupdate", dates[1]) if dates else ()
        openssl("ca", "-gencrl", "-config", config, "-cert", ca.cert, "-keyfile", ca.key,
                "-out", path, *when)
        return path

    def file(self, name, content):
        path = self.dir / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    ca = functools.cached_property(lambda s: s.authority("ca", "Test CA"))
    other_ca = functools.cached_property(lambda s: s.authority("other-ca", "Other CA"))

    server = functools.cached_property(lambda s: s.issue(
        "server", "localhost", usage="serverAuth", names=SERVER_NAMES))
    server_rsa = functools.cached_property(lambda s: s.issue(
        "server-rsa", "localhost", kind="rsa", usage="serverAuth", names=SERVER_NAMES))
    server_new = functools.cached_property(lambda s: s.issue(
        "server-new", "localhost", usage="serverAuth", names=SERVER_NAMES))
    server_expired = functools.cached_property(lambda s: s.issue(
        "server-expired", "localhost", usage="serverAuth", names=SERVER_NAMES,
        dates=("20200101000000Z", "20210101000000Z")))

    client = functools.cached_property(lambda s: s.issue("alice", "alice"))
    client_uri = functools.cached_property(lambda s: s.issue(
        "bob", "bob", names="URI:spiffe://prod/ns/web/sa/reader"))
    client_other_ca = functools.cached_property(lambda s: s.issue(
        "mallory", "mallory", ca=s.other_ca))
    client_expired = functools.cached_property(lambda s: s.issue(
        "late", "late", dates=("20200101000000Z", "20210101000000Z")))
    client_not_yet = functools.cached_property(lambda s: s.issue(
        "early", "early", dates=("20990101000000Z", "20991231000000Z")))
    client_wrong_purpose = functools.cached_property(lambda s: s.issue(
        "serveronly", "serveronly", usage="serverAuth"))

    @functools.cached_property
    def server_encrypted(self):
        """The server's key under the pass phrase "open sesame", and a file with that."""
        key = self.dir / "server-encrypted.key"
        openssl("pkcs8", "-topk8", "-in", self.server.key, "-out", key, "-v2", "aes-256-cbc",
                "-passout", "pass:open sesame")
        return Pair(self.server.cert, key)

    @functools.cached_property
    def password_file(self):
        return self.file("password", "open sesame\n")

    @functools.cached_property
    def wrong_password_file(self):
        return self.file("password-wrong", "close sesame\n")
