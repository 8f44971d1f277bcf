"""A real systemd, as a user's service manager: units of our own, and systemctl for them.

It runs where root may make a mount namespace; in that, /run says that systemd has booted.
"""

import os
import pathlib
import shutil
import subprocess

from .waiting import PATIENCE, until

SYSTEMD = "/lib/systemd/systemd"
START = "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system && exec " + SYSTEMD + " --user"
PROBE = "[Service]\nType=oneshot\nExecStart=/bin/true\n"


class UserSystemd:
    """units: {"sallyport.service": text}. `unusable` tells why there is none."""

    def __init__(self, folder, units):
        self.unusable = None
        self.process = None
        if os.getuid() != 0 or not os.access(SYSTEMD, os.X_OK) or not shutil.which("unshare"):
            self.unusable = "it takes root, systemd and unshare"
            return
        runtime, home = pathlib.Path(folder) / "run", pathlib.Path(folder) / "home"
        where = home / ".config/systemd/user"
        where.mkdir(parents=True)
        runtime.mkdir(mode=0o700)
        for name, text in {"probe.service": PROBE, **units}.items():
            (where / name).write_text(text)
        clean = {k: v for k, v in os.environ.items()
                 if not k.startswith(("SALLYPORT_", "DBUS_", "NOTIFY_", "LISTEN_"))}
        self.env = {**clean, "XDG_RUNTIME_DIR": str(runtime), "HOME": str(home),
                    "SYSTEMD_LOG_TARGET": "console"}
        self.process = subprocess.Popen(["unshare", "--mount", "sh", "-c", START], env=self.env,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        until("systemd answers, or has ended", lambda: self.process.poll() is not None
              or (runtime / "systemd/private").exists())
        if self.process.poll() is not None:
            self.unusable = "systemd does not start here: " + self.process.stdout.read()
        elif (said := self.ctl("start", "probe"))[0] != 0:
            self.unusable = f"systemd cannot start anything here: {said[1]}"

    def ctl(self, *args):
        """systemctl's exit code and output."""
        done = subprocess.run(["systemctl", "--user", "--no-pager", *args], env=self.env,
                              capture_output=True, text=True, timeout=PATIENCE * 2)
        return done.returncode, (done.stdout + done.stderr).strip()

    def show(self, unit, key):
        return self.ctl("show", unit, "--value", "--property", key)[1]

    def close(self):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.ctl("exit")
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
