"""A sallyport whose place another one takes: a Gate that goes on as the new process."""

import contextlib
import ctypes
import os
import re
import signal
import time

from . import procfs
from .waiting import PATIENCE, until

PR_SET_CHILD_SUBREAPER = 36


class Adopted:
    """What a Gate needs of a Popen, for a process that the old one has left to us."""

    def __init__(self, pid):
        self.pid, self.returncode = pid, None

    def poll(self):
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, patience=PATIENCE):
        until(f"process {self.pid} ends", lambda: self.poll() is not None, patience)
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


@contextlib.contextmanager
def orphans_adopted():
    """Meanwhile a process whose parent ends is a child of this one; none is left at the end."""
    libc, before = ctypes.CDLL(None), set(procfs.children(os.getpid()))
    assert libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    try:
        yield
    finally:
        for pid in set(procfs.children(os.getpid())) - before:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def await_successor(gate, patience=PATIENCE):
    """Another one has taken over, or will; the old one ends, and the gate is the new one."""
    said = gate.await_message(r"^process \d+ has taken over", patience)["message"]
    taken = time.monotonic()
    successor = int(re.search(r"\d+", said)[0])
    assert gate.process.wait(patience) == 0, gate.text()
    gate.process = Adopted(successor)
    gate.await_message("^taken over: ")
    return taken


def swap(gate, patience=PATIENCE):
    """The same, asked for. How long it took to take over, and then to end."""
    began = time.monotonic()
    gate.signal(signal.SIGUSR2)
    taken = await_successor(gate, patience)
    return taken - began, time.monotonic() - taken
