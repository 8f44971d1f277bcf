"""Keystores as pyjks and openssl read them: what the tests compare with, and take keys from."""

import base64
import hashlib
import textwrap
import types

import jks

from .certs import openssl


def pem(kind, der):
    body = "\n".join(textwrap.wrap(base64.b64encode(der).decode(), 64))
    return f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n"


def is_pkcs12(path):
    return path.read_bytes()[:1] == b"\x30"


def pair(path, password, folder, alias=None, key_password=None):
    """The key and its chain as PEM files in `folder`, for other programs."""
    made = types.SimpleNamespace(cert=folder / "taken.crt", key=folder / "taken.key")
    if is_pkcs12(path):
        take = ["pkcs12", "-legacy", "-in", path, "-passin", f"pass:{password}"]
        openssl(*take, "-nocerts", "-nodes", "-out", made.key)
        openssl(*take, "-nokeys", "-clcerts", "-out", made.cert)
        return made
    store = jks.KeyStore.load(str(path), password)
    entry = store.private_keys[alias] if alias else next(iter(store.private_keys.values()))
    if not entry.is_decrypted():
        entry.decrypt(key_password)
    made.key.write_text(pem("PRIVATE KEY", entry.pkey_pkcs8))
    made.cert.write_text("".join(pem("CERTIFICATE", c[1]) for c in entry.cert_chain))
    return made


def entries(path, password):
    """{alias: (kind, [SHA-256 of each certificate, leaf first])} of a JKS or JCEKS file."""
    store = jks.KeyStore.load(str(path), password, try_decrypt_keys=False)

    def digests(*certs):
        return [hashlib.sha256(c).hexdigest() for c in certs]

    return {**{a: ("key", digests(*(c[1] for c in e.cert_chain)))
               for a, e in store.private_keys.items()},
            **{a: ("trusted", digests(e.cert)) for a, e in store.certs.items()}}
