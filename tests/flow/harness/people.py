"""Clients by name, good and bad ones, for the admission matrix; and whom a [trust] believes."""

import ipaddress

from cryptography import x509

from . import authority
from .authority import ANY_USE, CLIENT_USE, SERVER_USE, Authority, Holder, days, rsa_key, subject
from .java_client import PASSWORD

PAST, FUTURE = (-20, -10), (10, 20)
_NO_CA = [(x509.BasicConstraints(False, None), True)]


def dns(*names):
    return [x509.DNSName(n) for n in names]


def uri(name):
    return [x509.UniformResourceIdentifier(name)]


def email(address):
    return [x509.RFC822Name(address)]


def ip(*addresses):
    return [x509.IPAddress(ipaddress.ip_address(a)) for a in addresses]


def _of_names(root):
    """Good certificates with names for rules, and names that are not what they look like."""
    reader, nul = "spiffe://prod/ns/db/sa/reader", "\0.evil.org"
    many = [f"n{i:05}" for i in range(10000)]
    return {
        "alice": root.issue(subject("alice", o=["Acme"], ou=["ops", "dev"]), [
            *dns("alice.example.com"), *uri(reader), *email("alice@example.com"),
            *ip("10.1.2.3", "2001:db8::7")]),
        "bob": root.issue(subject("bob", o=["Emca"]), dns("bob.example.org", "x.y.example.com")),
        "alfred": root.issue(subject("alfred"), dns("Alfred.Example.COM")),
        "umlaut": root.issue(subject("Jörg Müller")),
        "no-subject": root.issue(subject(), dns("only.example.com")),
        "no-names": root.issue(subject(o=["Acme"])),
        "nul-cn": root.issue(subject("alice" + nul)),
        "nul-dns": root.issue(subject("eve"), dns("alice.example.com" + nul)),
        "nul-uri": root.issue(subject("eve"), uri(reader + "\0x")),
        "nul-email": root.issue(subject("eve"), email("alice@example.com" + nul)),
        "wild-dns": root.issue(subject("eve"), dns("*.example.com")),
        "wild-cn": root.issue(subject("*")),
        "bad-san": root.issue(subject("alice"), extensions=[(x509.UnrecognizedExtension(
            x509.ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"\x30\x05\x82\x7fabc"), False)]),
        # 16 KiB of names are looked at, and 100 KiB of certificates are taken.
        "600-names": root.issue(subject("alice"), dns(*(f"{n}.example.com" for n in many[:600]))),
        "10000-names": root.issue(subject("alice"), dns(*many)),
        "10000-long-names": root.issue(subject("alice"), dns(*(f"{n}.example.com" for n in many))),
    }


def _of_one_ca(root):
    """What else is right or wrong with a certificate itself."""
    return {
        "no-eku": root.issue(subject("alice"), uses=()),
        "any-eku": root.issue(subject("alice"), uses=[ANY_USE]),
        "both-eku": root.issue(subject("alice"), uses=[SERVER_USE, CLIENT_USE]),
        "server-eku": root.issue(subject("alice"), uses=[SERVER_USE]),
        "expired": root.issue(subject("alice"), dates=days(*PAST)),
        "early": root.issue(subject("alice"), dates=days(*FUTURE)),
        "revoked": root.issue(subject("alice")),
        "rsa": root.issue(subject("alice"), key=rsa_key(2048)),
        "weak": root.issue(subject("alice"), key=rsa_key(1024)),
        "self-signed": Holder(subject("alice"), authority.new_key(), extensions=_NO_CA),
    }


def _of_chains(root, cas, alice):
    """What is right or wrong above it."""
    below_short = Authority(subject("mx below short"),
                            Authority(subject("mx short"), root, path_length=0))
    limited = Authority(subject("mx limited"), root, extensions=[
        (x509.NameConstraints([x509.DNSName("example.com")], None), True)])
    stranger = Authority(subject("mx stranger"))
    return {
        "of-mid": cas["mid"].issue(subject("alice")),
        "of-mid-alone": cas["mid"].issue(subject("alice"), above=[]),
        "of-old-root": cas["old"].issue(subject("alice")),
        "of-old-mid": Authority(subject("mx old mid"), root, dates=days(*PAST))
        .issue(subject("alice")),
        "of-stranger": stranger.issue(subject("alice")),
        "of-stranger-with-root": stranger.issue(subject("alice"), above=[stranger.cert]),
        "of-namesake": Authority(root.cert.subject).issue(subject("alice")),
        "of-alice": Holder(subject("eve"), authority.new_key(), alice, extensions=_NO_CA,
                           above=[alice.cert]),
        "below-5": root.below(5, "mx five").issue(subject("alice")),
        "below-6": root.below(6, "mx six").issue(subject("alice")),
        "below-7": root.below(7, "mx seven").issue(subject("alice")),
        "beyond-path-length": below_short.issue(subject("alice")),
        "in-name-constraints": limited.issue(subject("alice"), dns("alice.example.com")),
        "out-of-name-constraints": limited.issue(subject("alice"), dns("alice.example.org")),
    }


class World:
    """people: written Holders by name; trusts: the keys of each [trust]."""

    def __init__(self, folder):
        root = Authority(subject("mx root"))
        cas = {"root": root, "mid": Authority(subject("mx mid"), root),
               "old": Authority(subject("mx old root"), dates=days(*PAST))}
        self.people = {**_of_names(root), **_of_one_ca(root)}
        self.people |= _of_chains(root, cas, self.people["alice"])
        for name, holder in [*cas.items(), *self.people.items()]:
            holder.write(folder, f"mx-{name}", PASSWORD)
        ca = {"ca": root.leaf_pem}
        self.trusts = {
            "root": ca, "old": {"ca": cas["old"].leaf_pem}, "mid": {"ca": cas["mid"].leaf_pem},
            "self": {"ca": self.people["self-signed"].leaf_pem},
            "depth-6": {**ca, "depth": 6}, "depth-0": {**ca, "depth": 0},
        }
        for name, dates in {"crl": None, "old-crl": PAST, "early-crl": FUTURE}.items():
            path = folder / f"mx-{name}.pem"
            path.write_bytes(root.crl([self.people["revoked"]], dates and days(*dates)))
            self.trusts[name] = {**ca, "crl": path}
