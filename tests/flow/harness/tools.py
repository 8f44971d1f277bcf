"""Other people's TLS clients, as commands."""

import contextlib
import shutil
import subprocess
import threading


def need(command):
    path = shutil.which(command)
    assert path, f"the flow tests need {command}"
    return path


def _command(args):
    """Arguments may be paths, numbers, or bytes where no text will do."""
    return [need(args[0]), *(a if isinstance(a, bytes) else str(a) for a in args[1:])]


def run(*args, stdin=None, timeout=60):
    """The whole of it: its output, its exit code."""
    return subprocess.run(_command(args), input=stdin, timeout=timeout, text=True,
                          stdin=subprocess.DEVNULL if stdin is None else None,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def converse(*args, send, expect, patience=60):
    """Run a client that relays its input: say one thing, hear another, and only then end. What
    it printed and its exit code come back; it may end before it has heard all."""
    with subprocess.Popen(_command(args), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as client:
        watchdog = threading.Timer(patience, client.kill)
        watchdog.start()
        heard = b""
        with contextlib.suppress(BrokenPipeError):
            client.stdin.write(send)
            client.stdin.flush()
        while expect not in heard and (byte := client.stdout.read(1)):
            heard += byte
        with contextlib.suppress(BrokenPipeError):
            client.stdin.close()
        heard += client.stdout.read()
        watchdog.cancel()
    return heard.decode(errors="backslashreplace"), client.returncode
