"""TLS clients in Java: JavaClients.java, and the stores it wants."""

import pathlib

from .certs import openssl
from .jobs import Jobs
from .keytool import QUICK, shell
from .tools import need

PASSWORD = "changeit"
SOURCE = pathlib.Path(__file__).with_name("JavaClients.java")

# As the document of Pravega has it; JKS was the only form when that was written.
TRUSTSTORE = """
keytool -keystore client.truststore.jks -noprompt -alias CARoot -import -file ca-cert \
  -storepass changeit -storetype JKS
"""


def truststore(folder, ca):
    (folder / "ca-cert").write_bytes(ca.cert.read_bytes())
    shell(folder, TRUSTSTORE)
    made = folder / "client.truststore.jks"
    assert made.read_bytes()[:4] == b"\xfe\xed\xfe\xed", "that is no JKS"
    return made


def keystore(path, pair):
    """PKCS#12, which is what keytool makes by now, whatever the file is called."""
    openssl("pkcs12", "-export", "-in", pair.cert, "-inkey", pair.key, "-out", path,
            "-name", "server01", "-passout", f"pass:{PASSWORD}")
    return path


class JavaClients(Jobs):
    """One JVM for all of them; what it takes for 127.0.0.1 are these names."""

    def __init__(self, folder, ca, names):
        self.folder, self.contexts = folder, {}
        self.trust = truststore(folder, ca)
        hosts = folder / "hosts"
        hosts.write_text("".join(f"127.0.0.1 {name}\n" for name in names))
        super().__init__(need("java"), *QUICK.split(), f"-Djdk.net.hosts.file={hosts}",
                         "-Djdk.httpclient.allowRestrictedHeaders=connection", SOURCE)

    def context(self, name, pair=None):
        """What a program sets up once: its trust, and perhaps a certificate. Sessions are resumed
        within it."""
        keys = keystore(self.folder / f"{name}.p12", pair) if pair else None
        self.do("context", context=name, trust=self.trust, keys=keys, password=PASSWORD)
        return name
