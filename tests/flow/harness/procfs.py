"""What the kernel says of a process and of its sockets."""

import os
import pathlib


def children(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(word) for word in text.split()]


def is_alive(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def fds(pid):
    """Open descriptors, as what they point at."""
    found = []
    for entry in os.scandir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(entry.path))
        except FileNotFoundError:
            pass
    return found


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pss_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise AssertionError("no Pss in smaps_rollup")


def _hex_address(host, port):
    """As /proc/net/tcp writes an IPv4 address: little-endian hexadecimal."""
    return "".join(f"{int(n):02X}" for n in reversed(host.split("."))) + f":{port:04X}"


def unread(listener, client):
    """Bytes in the receive queue of the socket that serves `client` (its own address); None if
    there is no such socket (any more)."""
    local, remote = _hex_address(*listener[:2]), _hex_address(*client[:2])
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1] == local and fields[2] == remote:
            return int(fields[4].partition(":")[2], 16)
    return None
