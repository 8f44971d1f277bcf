"""A TLS client of Java (JSSE). One JVM serves many tests: its start takes longer than they do."""

import pathlib
import select
import subprocess

from .keytool import QUICK
from .tools import need
from .waiting import PATIENCE

PASSWORD = "changeit"       # of the keystores that it is given
_SOURCE = pathlib.Path(__file__).with_name("JavaClient.java")
_START = 120                # the compiler runs first


class JavaClient:
    def __init__(self):
        self._contexts = 0
        self._jvm = subprocess.Popen(
            [need("java"), *QUICK.split(), _SOURCE], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, encoding="utf-8", errors="backslashreplace")
        self._ready = False

    def _answer(self, patience):
        readable, _, _ = select.select([self._jvm.stdout], [], [], patience)
        line = self._jvm.stdout.readline() if readable else ""
        assert line, f"the Java client says nothing (its exit code: {self._jvm.poll()})"
        return line.rstrip("\n")

    def new_context(self):
        """A name for connections that are to share their sessions."""
        self._contexts += 1
        return f"context-{self._contexts}"

    def visit(self, address, version, name=None, keystore=None, obeys=True, context=None):
        """"echo", or the exception that ended it. version: "TLSv1.3"; obeys: send the
        certificate even if the server asks for another issuer's."""
        if not self._ready:
            assert self._answer(_START) == "ready"
            self._ready = True
        job = [context or self.new_context(), *address, version, name or "-", keystore or "-",
               "obeys" if obeys else "chooses"]
        self._jvm.stdin.write("\t".join(map(str, job)) + "\n")
        self._jvm.stdin.flush()
        return self._answer(3 * PATIENCE)

    def close(self):
        self._jvm.stdin.close()
        self._jvm.stdout.close()
        try:
            code = self._jvm.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._jvm.kill()
            self._jvm.wait()
            raise AssertionError("the Java client did not end") from None
        assert code == 0, code
