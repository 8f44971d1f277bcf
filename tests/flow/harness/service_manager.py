"""systemd's side of sd_notify(3): a socket, and what came to it."""

import os
import socket
import time

from .waiting import PATIENCE


class ServiceManager:
    """With a path, or abstract: "@name"."""

    def __init__(self, where):
        self.where = str(where)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.sock.bind(self.where.replace("@", "\0", 1))
        if not self.where.startswith("@"):
            os.chmod(self.where, 0o777)
        self.messages = []          # (pid of who sent it, {"READY": "1", …})

    @property
    def variables(self):
        return {"NOTIFY_SOCKET": self.where}

    def hears(self, patience):
        """One more message, or None."""
        self.sock.settimeout(max(patience, 0.01))
        try:
            data, control, _, _ = self.sock.recvmsg(8192, 1024)
        except TimeoutError:
            return None
        pid = next(int.from_bytes(what[:4], "little") for level, kind, what in control
                   if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS))
        lines = data.decode().splitlines()
        self.messages.append((pid, dict(line.split("=", 1) for line in lines)))
        return self.messages[-1]

    def await_message(self, key, patience=PATIENCE, pid=None):
        """The next one that has this key."""
        end = time.monotonic() + patience
        while (left := end - time.monotonic()) > 0:
            came = self.hears(left)
            if came and key in came[1] and pid in (None, came[0]):
                return came[1]
        raise AssertionError(f"no {key}; these came: {self.messages}")

    def close(self):
        self.sock.close()
