"""A program of the system under test that runs beside it, with its output in a file."""

import pathlib
import signal
import subprocess

from .waiting import PATIENCE, until


class Process:
    def __init__(self, name, args, folder, **how):
        self.log = pathlib.Path(folder) / f"{name}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([*map(str, args)], cwd=folder, stdout=log,
                                            stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT,
                                            **how)

    def text(self):
        return self.log.read_text(errors="backslashreplace")

    def says(self, words):
        """Whether it has said so already. It must live."""
        assert self.process.poll() is None, self.text()[-4000:]
        return words in self.text()

    def await_words(self, words, patience=3 * PATIENCE):
        until(f"{self.log.name} has {words!r}", lambda: self.says(words), patience=patience)

    def end(self):
        """By TERM; what it has printed comes back."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)
        return self.text()

    def close(self):
        try:
            self.end()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
