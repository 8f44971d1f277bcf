"""The program under test: its configuration, its process, its log."""

import os
import pathlib
import re
import resource
import signal
import subprocess
import threading
import time

from . import logs, procfs
from .waiting import PATIENCE, until

SALLYPORT = os.environ.get("SALLYPORT", "sallyport")
SANDBOX = os.environ.get("FLOW_SANDBOX")     # of every gate that does not say itself
_REPORT = re.compile(r"(ERROR|WARNING): \w+Sanitizer|runtime error:|SUMMARY: \w+Sanitizer")


def is_sanitized():
    """Is it a build whose memory is the sanitizers', which keep what is freed?"""
    libs = subprocess.run(["ldd", SALLYPORT], capture_output=True, text=True).stdout
    return "libasan" in libs or b"__asan_init" in pathlib.Path(SALLYPORT).read_bytes()


def render(sections):
    """{"route r": {"alpn": ["h2", "http/1.1"]}} as an ini file; a list repeats its key."""
    lines = []
    for head, keys in sections.items():
        lines.append(f"[{head}]")
        for key, value in keys.items():
            for one in value if isinstance(value, (list, tuple)) else [value]:
                if one is not None:
                    lines.append(f"{key} = {one}")
        lines.append("")
    return "\n".join(lines)


def environment(**more):
    """Without what another test, or the user, may have set for the program; so that /proc may be
    looked at by others than root; and so that each failed handshake has a line to wait for."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("SALLYPORT_")}
    return {**clean, "SALLYPORT_DUMPABLE": "1", "SALLYPORT_SUM_FAILURES": "0", **more}


def sandbox(args):
    """As the environment: what FLOW_SANDBOX asks for. The one process of workers = 0 can have no
    sandbox, so none is required of it."""
    own = re.compile(r"(?m)^(workers *= *0|sandbox *=.*)$")
    files = [a for flag, a in zip(args, args[1:]) if flag in ("-c", "--config")]
    if not SANDBOX or any(own.search(pathlib.Path(f).read_text()) for f in files):
        return {}
    return {"SALLYPORT_SANDBOX": SANDBOX}


def run(*args, timeout=60, program=SALLYPORT, **kwargs):
    """Run a command of the program to its end."""
    kwargs.setdefault("env", environment())
    kwargs.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run([program, *map(str, args)], capture_output=True, text=True,
                          timeout=timeout, **kwargs)
    assert not _REPORT.search(done.stderr), done.stderr
    return done


class Gate:
    """A running sallyport. Its access lines, each handed out once, are in order of their end."""

    started = []        # all of this test, for its report

    def __init__(self, args, listeners=1, env=None, descriptors=None, cwd=None,
                 program=SALLYPORT, **who):
        """who: user=, group= of subprocess.Popen."""
        def limit():
            if descriptors:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        self.expected_exit = 0      # what close() wants to see
        self.output, self.records, self.errors = [], [], []
        self._taken = set()
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            [program, *map(str, args)], env=environment(**{**sandbox(args), **(env or {})}),
            cwd=cwd, **who,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=limit, text=True, errors="backslashreplace")
        self._pipes = [self.process.stdout, self.process.stderr]
        self._readers = [threading.Thread(target=self._read, args=job, daemon=True) for job in (
            (self.process.stdout, self.output), (self.process.stderr, self.errors))]
        for reader in self._readers:
            reader.start()
        self.started.append(self)
        try:
            self.listeners = [self.await_listener() for _ in range(listeners)]
        except BaseException:
            self.process.kill()
            self.wait()
            raise

    # --- its output ---

    def _read(self, pipe, lines):
        for line in pipe:
            line = line.rstrip("\n")
            record = logs.parse(line)
            with self._changed:
                lines.append(line)
                if record is not None:
                    self.records.append(record)
                self._changed.notify_all()

    def _find(self, wanted):
        for i, record in enumerate(self.records):
            if i not in self._taken and wanted(record):
                self._taken.add(i)
                return record
        return None

    def _await(self, wanted, what, patience=PATIENCE):
        end = time.monotonic() + patience
        with self._changed:
            while True:
                record = self._find(wanted)
                if record is not None:
                    return record
                left = end - time.monotonic()
                ended = self.process.poll() is not None and not any(
                    r.is_alive() for r in self._readers)
                if left <= 0 or ended:
                    break
                self._changed.wait(min(left, 0.2))
        raise AssertionError(f"no {what} in the log:\n" + self.text())

    def text(self):
        """Its output for people: the middle of a long one is left out."""
        lines = self.output + self.errors
        if len(lines) > 60:
            lines[20:-40] = [f"[… {len(lines) - 60} lines …]"]
        return "\n".join(lines)

    def await_message(self, pattern, patience=PATIENCE):
        """The next line whose message matches, as a record."""
        search = re.compile(pattern).search
        return self._await(lambda r: search(r["message"]), f"/{pattern}/", patience)

    def await_listener(self):
        """The next address it says it listens on: (host, port), or the path of a Unix socket."""
        said = self.await_message(r"^listening on ")["message"]
        where = re.match(r"listening on (?:unix:(\S+)|\[?([0-9a-f.:]+?)\]?:(\d+))(?=[\s,]|$)", said)
        assert where, said
        return where[1] or (where[2], int(where[3]))

    def await_access(self, **fields):
        """The next access line with these fields."""
        def wanted(record):
            return "reason" in record and all(record.get(k) == str(v) for k, v in fields.items())
        return self._await(wanted, f"access line with {fields}")

    def await_client(self, host, patience=PATIENCE):
        """The next access line about a client at this address."""
        def wanted(record):
            return "reason" in record and record.get("client", "").startswith(host + ":")
        return self._await(wanted, f"access line of {host}", patience)

    def has(self, **fields):
        """Whether any line so far has these fields. Ask when something later has been seen."""
        with self._changed:
            return any(all(r.get(k) == str(v) for k, v in fields.items()) for r in self.records)

    def says(self, pattern):
        with self._changed:
            return any(re.search(pattern, r["message"]) for r in self.records)

    # --- its processes ---

    @property
    def address(self):
        return self.listeners[0]

    @property
    def pid(self):
        return self.process.pid

    def workers(self):
        """The processes that serve: the children, or itself with workers = 0."""
        return procfs.children(self.pid) or [self.pid]

    def monitors(self):
        return [pid for pid in procfs.children(self.pid) if procfs.name(pid) == "sallyport-mon"]

    def monitor(self):
        """The pid of its monitor, as soon as it has one."""
        return until("there is a monitor", self.monitors)[0]

    def fds(self):
        """Open descriptors of those who serve."""
        return sum(len(procfs.fds(pid)) for pid in self.workers())

    def await_fds(self, base):
        until(f"{base} descriptors (it has {self.fds()})", lambda: self.fds() <= base)

    def signal(self, number):
        self.process.send_signal(number)

    def reconfigure(self, sections):
        """Another configuration in its file, and a reload that takes it."""
        self.path.write_text(render(sections))
        self.signal(signal.SIGHUP)
        self.await_message("^reload done$")

    def vanish(self):
        """All of its processes are killed at once."""
        pids = [self.pid, *procfs.children(self.pid)]
        self.expected_exit = -signal.SIGKILL
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.wait()

    def wait(self, patience=PATIENCE):
        """Its exit code, once it has ended by itself."""
        code = self.process.wait(patience)
        for reader in self._readers:
            reader.join(PATIENCE)
        if not any(reader.is_alive() for reader in self._readers):
            for pipe in self._pipes:        # a report remembers all gates of a run
                pipe.close()
        return code

    def close(self):
        """End it if it runs, and see that it ended well: drained, with nothing left open."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            code = self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.wait()
            raise AssertionError("it did not end on TERM:\n" + self.text()) from None
        assert not _REPORT.search("\n".join(self.errors)), "\n".join(self.errors)
        assert code == self.expected_exit, f"exit code {code}:\n" + self.text()
