"""A JVM that is managed by JMX in plaintext, and its clients."""

import pathlib

from .jobs import Jobs
from .keytool import QUICK
from .processes import Process
from .tools import need, run

HERE = pathlib.Path(__file__).parent
SOURCES = [HERE / f"{name}.java" for name in ("JmxService", "JmxClients", "JavaClients")]
STORAGE = "org.example:type=Storage"


def compiled(folder):
    done = run("javac", "-d", folder, *SOURCES, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder


def service(command, classes, folder):
    """Run the document's command line, and wait until it is ready."""
    java, *args = command
    made = Process("service", [need(java), *QUICK.split(), "-cp", classes, *args], folder)
    try:
        made.await_words("ready")
    except BaseException:
        made.close()
        raise
    return made


def url(host, port=7199):
    return f"service:jmx:rmi:///jndi/rmi://{host}:{port}/jmxrmi"


class JmxClients(Jobs):
    """One JVM for all of them. A call that gets no answer must end; a connection that is not used
    stays for as long as the JVM."""

    def __init__(self, classes):
        super().__init__(need("java"), *QUICK.split(), "-cp", classes,
                         "-Dsun.rmi.transport.connectionTimeout=3600000",
                         "-Dsun.rmi.transport.tcp.responseTimeout=20000",
                         "-Dsun.rmi.transport.tcp.handshakeTimeout=20000", "JmxClients")
