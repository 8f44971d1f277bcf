"""Clients that visit an echoing gate with a certificate, and what they are told in one language.

A visit ends in "echo", or in the name of the alert that came back ("access_denied"), or in what
the client said instead.
"""

import re

from . import client, tools
from .certs import Pair

_ALERTS = {40: "handshake_failure", 42: "bad_certificate", 43: "unsupported_certificate",
           44: "certificate_revoked", 45: "certificate_expired", 46: "certificate_unknown",
           47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 51: "decrypt_error",
           80: "internal_error", 116: "certificate_required"}
PING = b"ping\n"


def _told(said, pattern):
    """What a command printed."""
    if PING.decode() in said:
        return "echo"
    number = re.search(pattern, said)
    return _ALERTS.get(int(number[1]), number[1]) if number else said


# Each has visit(gate, version, name, who). version: "1.2" or "1.3"; who: a Holder of authority.py
# that was written, or None.

class Python:
    """The ssl module, so OpenSSL."""

    def visit(self, gate, version, name, who):
        told = client.outcome(gate.address, None, name=name, check=False,
                              version=client.TLS12 if version == "1.2" else client.TLS13,
                              client=who and Pair(who.pem, who.key_pem))
        alert = re.fullmatch(r"(?:TLSV1|SSLV3|TLSV13)_ALERT_(.*)", told)
        return "echo" if told == "ok" else alert[1].lower() if alert else told


class OpenSSL:
    def visit(self, gate, version, name, who):
        sent = ["-cert", who.leaf_pem, "-key", who.key_pem] if who else []
        if who and who.above:
            sent += ["-cert_chain", who.above_pem]
        said, _ = tools.converse(
            "openssl", "s_client", "-connect", "%s:%d" % gate.address, "-quiet", "-no_ign_eof",
            "-tls" + version.replace(".", "_"), "-servername", name, *sent, send=PING, expect=PING)
        return _told(said, r"SSL alert number (\d+)")


class GnuTLS:
    def visit(self, gate, version, name, who):
        sent = [f"--x509certfile={who.pem}", f"--x509keyfile={who.key_pem}"] if who else []
        said, _ = tools.converse(
            "gnutls-cli", "--port", gate.address[1], "--no-ca-verification", "--sni-hostname",
            name, "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}", *sent, gate.address[0],
            send=PING, expect=PING)
        return _told(said, r"Received alert \[(\d+)\]")


class Java:
    """JSSE. obeys: it sends its certificate whatever the server asks for, as a key manager of an
    application's own does; Java's sends only those of the issuers that the server names."""

    def __init__(self, jvm, obeys):
        self.jvm, self.obeys = jvm, obeys

    def visit(self, gate, version, name, who):
        told = self.jvm.visit(gate.address, f"TLSv{version}", name, who and who.p12, self.obeys)
        alert = re.search(r"Received fatal alert: (\w+)", told)
        return alert[1] if alert else told
