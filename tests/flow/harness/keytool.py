"""The stores that the documents of real systems tell their users to make, by their own commands.

Each script is quoted from such a document (Pravega, Alluxio, K8ssandra, Flink, Dask): its lines
as they stand there, with what they leave open filled in. What differs is noted beside it. Each is
run once, in a folder of its own.
"""

import concurrent.futures
import os
import re
import subprocess
import types

# A JVM that lives for half a second gains nothing from its second compiler.
QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto"


def shell(folder, script, stdin=None):
    """Run the lines; the first that fails is a failure. What was printed comes back."""
    done = subprocess.run(["sh", "-ec", script], cwd=folder, input=stdin, text=True, timeout=120,
                          stdin=subprocess.DEVNULL if stdin is None else None,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**os.environ, "JAVA_TOOL_OPTIONS": QUICK, "LC_ALL": "C"})
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout


# --- Pravega: a CA by openssl, stores by keytool ---

# The document says -genkey without -keyalg; keytool 17 wants to be told. The comma at the end
# of SAN is the document's.
PRAVEGA = """
openssl req -new -x509 -keyout ca-key -out ca-cert -days 365 \
   -subj "/C=US/ST=Washington/L=Seattle/O=Pravega/OU=CA/CN=Pravega-CA" \
   -passout pass:changeit
keytool -keystore client.truststore.jks -noprompt -alias CARoot -import -file ca-cert \
  -storepass changeit
keytool -list -v -keystore client.truststore.jks -storepass changeit
keytool -keystore server01.keystore.jks -alias server01 -validity 365 -genkey -keyalg RSA \
            -storepass changeit -keypass changeit \
            -dname "CN=server01.pravega.io, OU=..., O=..., L=..., S=..., C=US" \
            -ext SAN=DNS:server01.pravega.io,
keytool -keystore server01.keystore.jks -alias server01 -certreq -file server01.csr \
  -storepass changeit
openssl x509 -req -CA ca-cert -CAkey ca-key -in server01.csr -out server01.crt -days 365 \
  -CAcreateserial -passin pass:changeit
keytool -keystore server01.keystore.jks -alias CARoot -noprompt -import -file ca-cert \
  -storepass changeit
keytool -keystore server01.keystore.jks -alias server01 -noprompt -import -file server01.crt \
  -storepass changeit
"""

# "Passwords and other arguments entered interactively on the prompt"
PRAVEGA_ASKED = "keytool -keystore server01.keystore.jks -alias server01 -genkey -keyalg RSA"
PRAVEGA_ANSWERS = "changeit\nchangeit\nserver01\nIT\nPravega\nSeattle\nWashington\nUS\nyes\n"

# --- Alluxio: self-signed, and the certificate itself is what is trusted ---

# {folder} is the document's /alluxio; {more}: where the tests vary it.
ALLUXIO = """
keytool -genkeypair -alias key -keyalg RSA -keysize 2048 \
  -dname "CN=localhost, OU=Department, O=Company, L=City, ST=State, C=US" \
  -keystore {folder}/keystore.jks -keypass keypass -storepass keypass
keytool -export -alias key -keystore {folder}/keystore.jks \
  -storepass keypass -rfc -file selfsigned.cer
keytool -import -alias key -noprompt -file selfsigned.cer \
  -keystore {folder}/truststore.jks -storepass trustpass
keytool -export -alias key -keystore {folder}/keystore.jks \
  -storepass keypass -file selfsigned.der
"""

# --- K8ssandra: the stores of cassandra-toolbox, and a client's certificate for Medusa ---

K8SSANDRA_REQ = """[ req ]
distinguished_name     = req_distinguished_name
prompt                 = no
output_password        = MyPassWord123!
default_bits           = 3072

[ req_distinguished_name ]
C                      = FR
"""
K8SSANDRA_CERT_CONF = K8SSANDRA_REQ + """ST                     = IDF
L                      = Paris
O                      = YourCompany
OU                     = SSLTestCluster
CN                     = SSLTestClusterRootCA
emailAddress           = youraddress@whatever.com
"""
K8SSANDRA_CLIENT_CONF = K8SSANDRA_REQ + """O                      = YourCompany
OU                     = SSLTestCluster
CN                     = client
"""

# What generate_cluster_ssl_stores.sh -v 10000 -g cert.conf leaves there: the same tools with the
# same options, and its layout: NAME.jks, certs/, and in stores.password a line NAME:PASSWORD for
# each; that of the truststore has no .jks. Its passwords are random; these are like them.
K8SSANDRA_KEYSTORE_PASSWORD = "h0Wq3gZL2mDxN4vTcYb7RfKsJpUe6AiO"
K8SSANDRA_TRUSTSTORE_PASSWORD = "Xk2uVnB8sQyE5tMjCw9LrGdHzPaF1iTo"
K8SSANDRA_TOOLBOX = """
mkdir certs
openssl req -config cert.conf -new -x509 -keyout certs/ca_20260101_000000.key \
  -out certs/ca_20260101_000000.cert -days 10000
keytool -genkeypair -keyalg RSA -alias cassandra-node_20260101_000000 \
  -keystore cassandra-node.jks -storepass {keystore} -keypass {keystore} -validity 10000 \
  -keysize 2048 -dname "C=FR, ST=IDF, L=Paris, O=YourCompany, OU=SSLTestCluster, \
CN=cassandra-node_20260101_000000, emailAddress=youraddress@whatever.com"
keytool -certreq -alias cassandra-node_20260101_000000 -file certs/sign_req.cert \
  -keystore cassandra-node.jks -storepass {keystore} -keypass {keystore}
openssl x509 -req -CA certs/ca_20260101_000000.cert -CAkey certs/ca_20260101_000000.key \
  -in certs/sign_req.cert -out certs/signed.cert -days 10000 -CAcreateserial \
  -passin pass:MyPassWord123!
keytool -import -alias cassandra-node_CARoot_20260101_000000 \
  -file certs/ca_20260101_000000.cert -keystore cassandra-node.jks -storepass {keystore} \
  -keypass {keystore} -noprompt
keytool -import -alias cassandra-node_20260101_000000 -file certs/signed.cert \
  -keystore cassandra-node.jks -storepass {keystore} -keypass {keystore}
keytool -importcert -alias cassandra-node_CARoot_20260101_000000 \
  -file certs/ca_20260101_000000.cert -keystore cassandra-server-truststore.jks \
  -storepass {truststore} -keypass MyPassWord123! -noprompt
echo "cassandra-node.jks:{keystore}" >> stores.password
echo "cassandra-server-truststore:{truststore}" >> stores.password
"""
# "Rename the keystore file to `keystore`, and rename the truststore file to `truststore`."
K8SSANDRA_RENAMED = """
cp cassandra-node.jks keystore
cp cassandra-server-truststore.jks truststore
printf %s {keystore} > keystore-password
printf %s {truststore} > truststore-password
cp certs/ca_20260101_000000.cert rootca.crt
cp certs/ca_20260101_000000.key rootca.key
openssl req -newkey rsa:3078 -nodes -keyout client.key -out client.csr -config client.conf
openssl x509 -req -CA rootca.crt -CAkey rootca.key -passin pass:MyPassWord123! -in client.csr \
  -out client.crt_signed -days 3650 -CAcreateserial
"""

# --- Flink: a CA and two nodes, all by keytool ---

FLINK = """
keytool -genkeypair -alias ca -keystore ca.keystore -dname "CN=Sample CA" -storepass password \
  -keypass password -keyalg RSA -ext bc=ca:true
keytool -keystore ca.keystore -storepass password -alias ca -exportcert > ca.cer
keytool -importcert -keystore ca.truststore -alias ca -storepass password -noprompt -file ca.cer

keytool -genkeypair -alias node1 -keystore node1.keystore -dname "CN=node1.company.org" -ext \
  SAN=dns:node1.company.org,ip:192.168.1.1 -storepass password -keypass password -keyalg RSA
keytool -certreq -keystore node1.keystore -storepass password -alias node1 -file node1.csr
keytool -gencert -keystore ca.keystore -storepass password -alias ca -ext \
  SAN=dns:node1.company.org,ip:192.168.1.1 -infile node1.csr -outfile node1.cer
keytool -importcert -keystore node1.keystore -storepass password -file ca.cer -alias ca -noprompt
keytool -importcert -keystore node1.keystore -storepass password -file node1.cer -alias node1 \
  -noprompt

keytool -genkeypair -alias node2 -keystore node2.keystore -dname "CN=node2.company.org" -ext \
  SAN=dns:node2.company.org,ip:192.168.1.2 -storepass password -keypass password -keyalg RSA
keytool -certreq -keystore node2.keystore -storepass password -alias node2 -file node2.csr
keytool -gencert -keystore ca.keystore -storepass password -alias ca -ext \
  SAN=dns:node2.company.org,ip:192.168.1.2 -infile node2.csr -outfile node2.cer
keytool -importcert -keystore node2.keystore -storepass password -file ca.cer -alias ca -noprompt
keytool -importcert -keystore node2.keystore -storepass password -file node2.cer -alias node2 \
  -noprompt
"""

# Its section on YARN: one keystore for all nodes, with "-ext SAN=…" given to the first command.
FLINK_YARN = """
keytool -genkeypair -alias node -keystore node.keystore -dname "CN=node1.company.org" -ext \
  SAN=dns:node1.company.org,ip:192.168.1.1,dns:node2.company.org,ip:192.168.1.2 -storepass \
  password -keypass password -keyalg RSA
keytool -exportcert -rfc -keystore node.keystore -storepass password -alias node > node.pem
"""

# --- Dask: PEM, by openssl ---

DASK = """
openssl req -x509 -nodes -newkey rsa:4096 -days 10 -keyout dask-tls-ca-key.pem -out \
  dask-tls-ca-cert.pem -subj "/C=US/ST=CA/CN=ODSC CLUSTER PROVISIONER"
openssl req -nodes -newkey rsa:4096 -keyout dask-tls-key.pem -out dask-tls-req.pem -subj \
  "/C=US/ST=CA/CN=DASK CLUSTER"
openssl x509 -req -in dask-tls-req.pem -CA dask-tls-ca-cert.pem -CAkey dask-tls-ca-key.pem \
  -CAcreateserial -out dask-tls-cert.pem
"""

# --- one form of file and another ---

# (options of keytool, the form that `sallyport show` is to see); a key's own password for those
# that have one. PKCS#12 has none: keytool says so, and takes the store's.
FORMS = {
    "default": ("", "pkcs12"),
    "pkcs12": ("-storetype PKCS12", "pkcs12"),
    "pkcs12-legacy": ("-J-Dkeystore.pkcs12.legacy", "pkcs12"),
    "pkcs12-keypass": ("-storetype PKCS12 -keypass elsewise", "pkcs12"),
    "jks": ("-storetype JKS", "jks"),
    "jks-keypass": ("-storetype JKS -keypass elsewise", "jks"),
    "jceks": ("-storetype JCEKS", "jceks"),
    "jceks-keypass": ("-storetype JCEKS -keypass elsewise", "jceks"),
}
FORM_PAIR = """
keytool -genkeypair -alias Server-1 -keyalg EC -groupname secp256r1 -dname "CN=localhost" \
  -ext SAN=dns:localhost -keystore keystore -storepass keypass {options}
keytool -export -alias Server-1 -keystore keystore -storepass keypass -rfc -file selfsigned.cer
keytool -import -alias Server-1 -noprompt -file selfsigned.cer -keystore truststore \
  -storepass trustpass {trust_options}
"""


# What cannot be served as it is: several keys, and none that is for TLS.
ODD = """
keytool -genkeypair -alias one -keyalg EC -groupname secp256r1 -dname "CN=one" \
  -keystore two-keys.p12 -storepass keypass
keytool -genkeypair -alias Two -keyalg EC -groupname secp256r1 -dname "CN=two" \
  -keystore two-keys.p12 -storepass keypass
keytool -genseckey -alias symmetric -keyalg AES -keysize 128 -storetype JCEKS \
  -keystore secret.jceks -storepass keypass
"""


def _k8ssandra():
    return (K8SSANDRA_TOOLBOX + K8SSANDRA_RENAMED).replace(
        "{keystore}", K8SSANDRA_KEYSTORE_PASSWORD).replace(
        "{truststore}", K8SSANDRA_TRUSTSTORE_PASSWORD)


def _form(name):
    """A trusted certificate has no key, and so no password of its own."""
    options, _ = FORMS[name]
    return FORM_PAIR.replace("{options}", options).replace(
        "{trust_options}", re.sub(r"-keypass \S+", "", options))


SCRIPTS = {     # the longest first
    "flink": FLINK, "pravega": PRAVEGA, "k8ssandra": _k8ssandra(), "alluxio": ALLUXIO,
    "dask": DASK, "flink-yarn": FLINK_YARN, "pravega-asked": PRAVEGA_ASKED, "odd": ODD,
    **{f"form-{name}": _form(name) for name in FORMS},
}
FILES = {"k8ssandra": {"cert.conf": K8SSANDRA_CERT_CONF, "client.conf": K8SSANDRA_CLIENT_CONF}}
ANSWERS = {"pravega-asked": PRAVEGA_ANSWERS}


class Stores:
    """stores["flink"]: that folder, and what its commands said. All scripts are begun at once, as
    many at a time as there are CPUs: most of the time is the JVM's start."""

    def __init__(self, top):
        self.top = top
        self.pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
        self.made = {name: self.pool.submit(self._make, name) for name in SCRIPTS}

    def _make(self, name):
        folder = self.top / name
        folder.mkdir()
        for file, text in FILES.get(name, {}).items():
            (folder / file).write_text(text)
        said = shell(folder, SCRIPTS[name].replace("{folder}", str(folder)), ANSWERS.get(name))
        return types.SimpleNamespace(folder=folder, said=said)

    def __getitem__(self, name):
        return self.made[name].result()

    def close(self):
        self.pool.shutdown(cancel_futures=True)
