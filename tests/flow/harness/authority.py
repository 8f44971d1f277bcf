"""A CA in this process: clients' certificates of every kind, also those that no CA should issue."""

import datetime
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

DAY = datetime.timedelta(days=1)
PEM = serialization.Encoding.PEM
CLIENT_USE = x509.ExtendedKeyUsageOID.CLIENT_AUTH
SERVER_USE = x509.ExtendedKeyUsageOID.SERVER_AUTH
ANY_USE = x509.ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
_CA_USE = x509.KeyUsage(key_cert_sign=True, crl_sign=True, **dict.fromkeys((
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
    "key_agreement", "encipher_only", "decipher_only"), False))


def subject(cn=None, o=(), ou=()):
    oid = x509.NameOID
    parts = [(oid.ORGANIZATION_NAME, one) for one in o]
    parts += [(oid.ORGANIZATIONAL_UNIT_NAME, one) for one in ou]
    parts += [(oid.COMMON_NAME, cn)] if cn is not None else []
    return x509.Name([x509.NameAttribute(of, text) for of, text in parts])


def days(begin, end):
    """Validity, in days from now."""
    now = datetime.datetime.utcnow()
    return now + begin * DAY, now + end * DAY


class Holder:
    """Who has a certificate with its key: `cert`, `key`, and `above`, what is sent with it."""

    def __init__(self, name, key, issuer=None, dates=None, extensions=(), above=()):
        """issuer: a Holder; None: itself. extensions: [(extension, critical)]."""
        begin, end = dates or days(-1, 20)
        builder = (x509.CertificateBuilder().subject_name(name)
                   .issuer_name(issuer.cert.subject if issuer else name)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(begin).not_valid_after(end))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        self.cert = builder.sign(issuer.key if issuer else key, hashes.SHA256())
        self.key, self.above = key, list(above)

    def write(self, folder, name, password):
        """As files, one for each kind of client."""
        self.pem = folder / f"{name}.pem"               # with what is above
        self.leaf_pem, self.above_pem = folder / f"{name}.leaf.pem", folder / f"{name}.above.pem"
        self.key_pem, self.p12 = folder / f"{name}.key", folder / f"{name}.p12"
        own, above = self.cert.public_bytes(PEM), b"".join(c.public_bytes(PEM) for c in self.above)
        self.pem.write_bytes(own + above)
        self.leaf_pem.write_bytes(own)
        self.above_pem.write_bytes(above)
        self.key_pem.write_bytes(self.key.private_bytes(PEM, serialization.PrivateFormat.PKCS8,
                                                        serialization.NoEncryption()))
        cheap = (serialization.PrivateFormat.PKCS12.encryption_builder().kdf_rounds(1)
                 .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC).build(password.encode()))
        self.p12.write_bytes(pkcs12.serialize_key_and_certificates(
            b"client", self.key, self.cert, self.above, cheap))
        return self

    @property
    def serial(self):
        """As rules have it."""
        return f"{self.cert.serial_number:x}"

    @property
    def pin(self):
        der = self.cert.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return hashlib.sha256(der).hexdigest()


class Authority(Holder):
    """A root, or a CA below another."""

    def __init__(self, name, issuer=None, dates=None, path_length=None, key=None, extensions=()):
        above = [issuer.cert, *issuer.above] if issuer and not issuer.is_root else []
        super().__init__(name, key or new_key(), issuer, dates, [
            (x509.BasicConstraints(True, path_length), True), (_CA_USE, True), *extensions], above)
        self.is_root = issuer is None

    def issue(self, name, alternatives=(), uses=(CLIENT_USE,), key=None, dates=None,
              extensions=(), above=None):
        """A client's. It sends the CAs up to the root, without that; above: others instead."""
        more = [(x509.BasicConstraints(False, None), True), *extensions]
        if uses:
            more.append((x509.ExtendedKeyUsage(uses), False))
        if alternatives:
            more.append((x509.SubjectAlternativeName(alternatives), not list(name)))
        if above is None:
            above = [] if self.is_root else [self.cert, *self.above]
        return Holder(name, key or new_key(), self, dates, more,
                      above)

    def below(self, count, name):
        """The last of so many CAs, each below the one before."""
        last = self
        for i in range(count):
            last = Authority(subject(f"{name} {i + 1}"), last)
        return last

    def crl(self, revoked=(), dates=None):
        """As PEM."""
        begin, end = dates or days(-1, 10)
        builder = (x509.CertificateRevocationListBuilder().issuer_name(self.cert.subject)
                   .last_update(begin).next_update(end))
        for one in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(one.cert.serial_number)
                .revocation_date(begin).build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(PEM)


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def rsa_key(bits):
    return rsa.generate_private_key(65537, bits)
