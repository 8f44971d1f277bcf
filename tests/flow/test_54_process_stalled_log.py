"""Nobody reads the log: connections are served all the same, and the program ends when told."""

import fcntl
import os
import re
import signal
import subprocess

from harness import client
from harness.gate import SALLYPORT, environment
from harness.origin import echo
from harness.waiting import PATIENCE, until

F_SETPIPE_SZ = 1031


def read_line(fd):
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(fd, 1)
    return line.decode()


def test_a_log_that_nobody_reads_stops_nothing(origin, certs):
    reader, writer = os.pipe()
    fcntl.fcntl(writer, F_SETPIPE_SZ, 4096)             # full after some ten lines
    process = subprocess.Popen(
        [SALLYPORT, "serve", "--listen", "127.0.0.1:0", "--upstream", origin(echo).address,
         "--cert", certs.server.cert, "--key", certs.server.key, "--workers", "1",
         "--drain-timeout", "2s"],
        stdin=subprocess.DEVNULL, stdout=writer, stderr=subprocess.DEVNULL, env=environment())
    os.close(writer)
    try:
        while not (found := re.search(r"listening on 127\.0\.0\.1:(\d+)", read_line(reader))):
            pass
        address = ("127.0.0.1", int(found[1]))
        for i in range(1500):                           # of 300 KiB of lines; 256 KiB wait
            c = client.Careful(address, certs).handshake()
            if i % 100 == 0:
                c.send(b"alive?")
                assert c.receive(6) == b"alive?"
            c.end()
            c.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        rest = b""
        while more := os.read(reader, 65536):
            rest += more
        assert rest.count(b"reason=done") < 1500
    finally:
        process.kill()
        process.wait()
        os.close(reader)


def test_lines_go_on_when_the_reader_comes_back(origin, certs):
    reader, writer = os.pipe()
    fcntl.fcntl(writer, F_SETPIPE_SZ, 4096)
    process = subprocess.Popen(
        [SALLYPORT, "serve", "--listen", "127.0.0.1:0", "--upstream", origin(echo).address,
         "--cert", certs.server.cert, "--key", certs.server.key, "--workers", "1"],
        stdin=subprocess.DEVNULL, stdout=writer, stderr=subprocess.DEVNULL, env=environment())
    os.close(writer)
    try:
        while not (found := re.search(r"listening on 127\.0\.0\.1:(\d+)", read_line(reader))):
            pass
        for _ in range(100):
            c = client.Careful(("127.0.0.1", int(found[1])), certs).handshake()
            c.end()
            c.close()
        os.set_blocking(reader, False)
        lines = bytearray()

        def all_there():
            try:
                lines.extend(os.read(reader, 65536))
            except BlockingIOError:
                pass
            return lines.count(b"reason=done") == 100   # nothing was lost, only late
        until("a line for each connection", all_there)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
        os.close(reader)
