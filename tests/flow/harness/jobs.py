"""A program of the tests' own that stays, and is given jobs: other people's libraries as clients,
for the price of one start.

A job is a line on its standard input, its result a line on its standard output, in whatever order
they are done: the job's number, a word, and fields name=value, separated by tabs. The word is what
to do, or how that went: "ok", or "failed" with the field `error`.
"""

import concurrent.futures
import contextlib
import itertools
import subprocess
import sys
import threading

from .waiting import PATIENCE

WAIT = 3 * PATIENCE     # for a result: the program's own patience ends first, and says more


class Failed(Exception):
    """What the library says went wrong."""


def _line(number, word, fields):
    parts = [str(number), word, *(f"{k}={v}" for k, v in fields.items() if v is not None)]
    assert not any(c in part for part in parts for c in "\t\n"), parts
    return "\t".join(parts) + "\n"


def _parse(line):
    number, word, *fields = line.rstrip("\n").split("\t")
    return int(number), word, dict(field.split("=", 1) for field in fields)


class Jobs:
    """The program, as its tests see it."""

    def __init__(self, *command, **how):
        self._numbers, self._waiting = itertools.count(1), {}
        self._lock, self._over = threading.Lock(), False
        self.process = subprocess.Popen([str(c) for c in command], text=True, **how,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            number, word, fields = _parse(line)
            with self._lock:
                future = self._waiting.pop(number)
            if word == "ok":
                future.set_result(fields)
            else:
                future.set_exception(Failed(fields["error"]))
        with self._lock:
            self._over, left = True, list(self._waiting.values())
        for future in left:
            future.set_exception(Failed(f"{self.process.args[0]} has ended"))

    def begin(self, what, **fields):
        """A future of the result's fields."""
        future = concurrent.futures.Future()
        with self._lock:
            assert not self._over, f"{self.process.args[0]} has ended"
            number = next(self._numbers)
            self._waiting[number] = future
            self.process.stdin.write(_line(number, what, fields))
            self.process.stdin.flush()
        return future

    def do(self, what, **fields):
        return self.begin(what, **fields).result(WAIT)

    def refusal(self, what, **fields):
        """Why it failed, for it must."""
        error = self.begin(what, **fields).exception(WAIT)
        assert isinstance(error, Failed), error or "it succeeded"
        return str(error)

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            code = self.process.wait(PATIENCE)
        finally:
            self.process.kill()
        self._reader.join(PATIENCE)
        self.process.stdout.close()
        assert code == 0, f"{self.process.args[0]} ended with {code}"


def work(handlers):
    """Such a program in Python: {word: function of the fields, which returns the result's}. Each
    job has a thread, for many of them wait for what another does."""
    lock = threading.Lock()

    def run(number, word, fields):
        try:
            word, result = "ok", handlers[word](**fields) or {}
        except Exception as e:      # noqa: BLE001  (that is the result)
            word, result = "failed", {"error": " ".join(f"{type(e).__name__}: {e}".split())}
        with lock:
            sys.stdout.write(_line(number, word, result))
            sys.stdout.flush()

    for line in sys.stdin:
        threading.Thread(target=run, args=_parse(line), daemon=True).start()
