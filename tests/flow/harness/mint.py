"""Server certificates by the hundred, made in this process and kept in memory."""

import datetime
import hashlib
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DAY = datetime.timedelta(days=1)
PEM = serialization.Encoding.PEM


class Minted:
    """A certificate and its key, as PEM; the DER of the certificate, and its SHA-256."""

    def __init__(self, cert, key):
        self.cert = cert.public_bytes(PEM)
        self.key = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8,
                                     serialization.NoEncryption())
        self.der = cert.public_bytes(serialization.Encoding.DER)
        self.sha256 = hashlib.sha256(self.der).hexdigest()


class Mint:
    def __init__(self, ca):
        """ca: a Pair of certs.py."""
        self.ca = x509.load_pem_x509_certificate(pathlib.Path(ca.cert).read_bytes())
        self.ca_key = serialization.load_pem_private_key(pathlib.Path(ca.key).read_bytes(), None)

    def new(self, name="localhost", names=(), expired=False):
        """For `name` and 127.0.0.1; with a key of its own. expired: two days ago."""
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.utcnow()
        alternatives = [x509.DNSName(n) for n in (name, *names)]
        alternatives.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        cert = (x509.CertificateBuilder().subject_name(subject).issuer_name(self.ca.subject)
                .public_key(key.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(now - 10 * DAY)
                .not_valid_after(now - 2 * DAY if expired else now + 20 * DAY)
                .add_extension(x509.BasicConstraints(False, None), True)
                .add_extension(x509.SubjectAlternativeName(alternatives), False)
                .sign(self.ca_key, hashes.SHA256()))
        return Minted(cert, key)
