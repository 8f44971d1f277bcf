"""What the documents of real systems tell their users to make, served as it is.

The commands are in harness/keytool.py. A proxy is given the keystore and the truststore; clients
check what it shows against the CA, and are let in with the pair of that same keystore.
"""

import dataclasses
import pathlib
import shutil
import subprocess
import types

import pytest

from harness import client, keystore, keytool, tools
from harness.certs import openssl
from harness.gate import run
from harness.origin import echo

pytestmark = pytest.mark.systems


@dataclasses.dataclass
class Case:
    """A server's files as [store] and [trust] take them, and what a client needs."""
    folder: pathlib.Path
    store: dict                 # keys of [store]
    trust: dict                 # keys of [trust]
    ca: pathlib.Path            # PEM or DER: what clients believe
    pair: tuple = ()            # of keystore.pair(): keystore, password, alias, key's password
    name: str = None            # that the certificate covers; None: it has no alternative names
    client: tuple = ()          # PEM files instead of `pair`


def secret(folder, name, text):
    path = folder / name
    path.write_text(text + "\n")
    return path


def pravega(s):
    f = s["pravega"].folder
    p = secret(f, "password", "changeit")
    return Case(f, {"cert": f / "server01.keystore.jks", "password_file": p},
                {"ca": f / "client.truststore.jks", "password_file": p},
                f / "ca-cert", (f / "server01.keystore.jks", "changeit"))


def alluxio(s):
    f = s["alluxio"].folder
    return Case(f, {"cert": f / "keystore.jks", "password_file": secret(f, "kp", "keypass"),
                    "key_password_file": f / "kp", "alias": "key"},
                {"ca": f / "truststore.jks", "password_file": secret(f, "tp", "trustpass")},
                f / "selfsigned.cer", (f / "keystore.jks", "keypass"))


def alluxio_der(s):
    """The certificate itself, as keytool -export writes it without -rfc, is what is trusted."""
    case = alluxio(s)
    return dataclasses.replace(case, trust={"ca": case.folder / "selfsigned.der"},
                               ca=case.folder / "selfsigned.der")


def k8ssandra(s):
    """Files without a name that says what they are; each password alone in a file."""
    f = s["k8ssandra"].folder
    return Case(f, {"cert": f / "keystore", "password_file": f / "keystore-password"},
                {"ca": f / "truststore", "password_file": f / "truststore-password"},
                f / "rootca.crt", (f / "keystore", keytool.K8SSANDRA_KEYSTORE_PASSWORD))


def cassandra_toolbox(s):
    """One file of passwords for all, as the toolbox writes it."""
    f = s["k8ssandra"].folder
    return Case(f, {"cert": f / "cassandra-node.jks", "password_file": f / "stores.password"},
                {"ca": f / "cassandra-server-truststore.jks",
                 "password_file": f / "stores.password"},
                f / "rootca.crt",
                (f / "cassandra-node.jks", keytool.K8SSANDRA_KEYSTORE_PASSWORD))


def medusa(s):
    """The client's certificate that the document signs beside them."""
    case = k8ssandra(s)
    return dataclasses.replace(case, client=(case.folder / "client.crt_signed",
                                             case.folder / "client.key"))


def flink(node):
    def case(s):
        f = s["flink"].folder
        p = secret(f, "password", "password")
        return Case(f, {"cert": f / f"{node}.keystore", "password_file": p, "alias": node},
                    {"ca": f / "ca.truststore", "password_file": p},
                    f / "ca.cer", (f / f"{node}.keystore", "password"), f"{node}.company.org")
    return case


def flink_der(s):
    """ca.cer, as it went into the truststore."""
    case = flink("node1")(s)
    return dataclasses.replace(case, trust={"ca": case.folder / "ca.cer"}, name="192.168.1.1")


def flink_yarn(name):
    def case(s):
        f = s["flink-yarn"].folder
        return Case(f, {"cert": f / "node.keystore", "password_file": secret(f, "p", "password")},
                    {"ca": f / "node.pem"}, f / "node.pem",
                    (f / "node.keystore", "password"), name)
    return case


def dask(s):
    f = s["dask"].folder
    pair = (f / "dask-tls-cert.pem", f / "dask-tls-key.pem")
    return Case(f, {"cert": pair[0], "key": pair[1]}, {"ca": f / "dask-tls-ca-cert.pem"},
                f / "dask-tls-ca-cert.pem", client=pair)


def form(name):
    def case(s):
        f = s[f"form-{name}"].folder
        elsewise = "-keypass" in keytool.FORMS[name][0] and "PKCS12" not in keytool.FORMS[name][0]
        store = {"cert": f / "keystore", "password_file": secret(f, "kp", "keypass"),
                 "alias": "SERVER-1"}
        if elsewise:
            store["key_password_file"] = secret(f, "ep", "elsewise")
        return Case(f, store,
                    {"ca": f / "truststore", "password_file": secret(f, "tp", "trustpass")},
                    f / "selfsigned.cer",
                    (f / "keystore", "keypass", None, "elsewise" if elsewise else None),
                    "localhost")
    return case


CASES = {
    "pravega": pravega, "alluxio": alluxio, "alluxio DER": alluxio_der,
    "k8ssandra": k8ssandra, "cassandra-toolbox": cassandra_toolbox, "medusa": medusa,
    "flink node1": flink("node1"), "flink node2": flink("node2"), "flink DER": flink_der,
    "flink YARN 1": flink_yarn("node1.company.org"), "flink YARN 2": flink_yarn("192.168.1.2"),
    "dask": dask, **{name: form(name) for name in keytool.FORMS},
}


@pytest.fixture
def case(request, stores, tmp_path):
    """With the client's files as PEM."""
    case = CASES[request.param](stores)
    ca = tmp_path / "ca.pem"
    text = case.ca.read_bytes()
    openssl("x509", "-in", case.ca, "-out", ca,
            *([] if text.startswith(b"-----") else ["-inform", "DER"]))
    case.believes = types.SimpleNamespace(ca=types.SimpleNamespace(cert=ca))
    if case.client:
        case.mine = types.SimpleNamespace(cert=case.client[0], key=case.client[1])
    else:
        path, password, alias, key_password = (*case.pair, None, None)[:4]
        case.mine = keystore.pair(path, password, tmp_path, alias, key_password)
    case.check = {"name": case.name} if case.name else {"check": "chain"}
    return case


@pytest.mark.parametrize("case", CASES, indirect=True)
def test_served_as_it_is(config, sallyport, origin, certs, case):
    sections = config(origin(echo).address, store=case.store, client_auth="require")
    sections["trust clients"] = case.trust
    proxy = sallyport(sections)
    assert client.outcome(proxy.address, case.believes, client=case.mine, **case.check) == "ok"
    assert (client.outcome(proxy.address, case.believes, **case.check)
            == "TLSV13_ALERT_CERTIFICATE_REQUIRED")
    assert (client.outcome(proxy.address, case.believes, client=certs.client_other_ca,
                           **case.check) == "TLSV1_ALERT_UNKNOWN_CA")

    named = (["-verify_ip" if case.name[0].isdigit() else "-verify_hostname", case.name]
             if case.name else [])
    said, _ = tools.converse(
        "openssl", "s_client", "-brief", "-connect", "%s:%d" % proxy.address,
        "-CAfile", case.believes.ca.cert, "-verify_return_error", *named,
        "-cert", case.mine.cert, "-key", case.mine.key, send=b"hello\n", expect=b"hello")
    assert "Verification: OK" in said and "hello" in said, said

    done = run("check", "-c", proxy.path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_genkey_wants_an_algorithm(tmp_path):
    """The document's own line is of a time when keytool chose DSA, which TLS 1.3 cannot use."""
    done = subprocess.run(
        ["keytool", "-keystore", "server01.keystore.jks", "-alias", "server01", "-genkey",
         "-storepass", "changeit", "-keypass", "changeit", "-dname", "CN=server01"],
        cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 1 and "-keyalg" in done.stdout


def test_what_is_typed_at_the_prompt(gate, origin, stores):
    f = stores["pravega-asked"].folder
    proxy = gate(origin(echo).address, store={
        "cert": f / "server01.keystore.jks", "password_file": secret(f, "password", "changeit")})
    assert client.outcome(proxy.address, None, check=False) == "ok"


def test_keytool_lists_what_it_imported(stores):
    said = stores["pravega"].said
    assert "Your keystore contains 1 entry" in said
    assert "Alias name: caroot" in said and "Entry type: trustedCertEntry" in said


@pytest.mark.parametrize("password", [True, False], ids=["password", "no password"])
def test_the_cacerts_of_the_jdk(config, sallyport, origin, certs, tmp_path, password):
    """More than a hundred anchors; the password is the one that everybody knows."""
    java = pathlib.Path(shutil.which("keytool")).resolve().parent.parent
    sections = config(origin(echo).address, client_auth="require")
    sections["trust clients"] = {"ca": java / "lib/security/cacerts"}
    if password:
        sections["trust clients"]["password_file"] = secret(tmp_path, "password", "changeit")
    proxy = sallyport(sections)
    assert (client.outcome(proxy.address, certs, client=certs.client)
            == "TLSV1_ALERT_UNKNOWN_CA")
