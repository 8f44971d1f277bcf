"""A token of SoftHSM, in a folder of its own: keys that go in and never come out."""

import os
import pathlib
import pwd
import shutil

from . import tools

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so")
LABEL = "gate"


def module():
    """Named in each URI, so that nothing hangs on what this machine has registered."""
    found = [m for m in MODULES if os.path.exists(m)]
    assert found, "the flow tests need softhsm2"
    return found[0]


class Token:
    def __init__(self, folder, pin="1234"):
        self.dir, self.pin, self._ids = pathlib.Path(folder), pin, 0
        self.files = self.dir / "tokens"
        self.files.mkdir()
        config = self.dir / "softhsm2.conf"
        config.write_text(f"directories.tokendir = {self.files}\nobjectstore.backend = file\n"
                          "log.level = ERROR\n")
        config.chmod(0o644)
        # What PKCS#11 engines and modules leave behind at the end is theirs, and is unloaded by
        # then; tests/unit/tls/test_key_uri.c looks for leaks of ours.
        quiet = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        self.env = {"SOFTHSM2_CONF": str(config), "ASAN_OPTIONS": quiet}
        self._util("--init-token", "--free", "--label", LABEL, "--pin", pin, "--so-pin", "56789")

    def _util(self, *args):
        done = tools.run("env", f"SOFTHSM2_CONF={self.env['SOFTHSM2_CONF']}", "softhsm2-util",
                         *args)
        assert done.returncode == 0, done.stdout + done.stderr

    def put(self, label, key):
        """A PEM key; the URI that names it."""
        plain = self.dir / "in.key"
        done = tools.run("openssl", "pkcs8", "-topk8", "-nocrypt", "-in", key, "-out", plain)
        assert done.returncode == 0, done.stderr
        self._ids += 1
        self._util("--import", plain, "--token", LABEL, "--label", label,
                   "--id", f"{self._ids:02x}", "--pin", self.pin)
        plain.unlink()
        self.give_to_workers()
        return self.uri(f"object={label}")

    def uri(self, what, token=LABEL):
        return f"pkcs11:token={token};{what}?module-path={module()}"

    def give_to_workers(self):
        """Where root runs the tests, workers are nobody."""
        if os.geteuid() == 0:
            for path in [self.files, *self.files.rglob("*")]:
                shutil.chown(path, pwd.getpwnam("nobody").pw_uid)

    def take_away(self):
        self.files.rename(self.dir / "away")
        self.files.mkdir()

    def bring_back(self):
        self.files.rmdir()
        (self.dir / "away").rename(self.files)
