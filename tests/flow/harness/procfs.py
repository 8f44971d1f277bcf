"""What the kernel says of a process and of its sockets."""

import errno
import os
import pathlib
import socket
import struct


def children(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(word) for word in text.split()]


def name(pid):
    """What ps shows; "" when there is no such process any more."""
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def state(pid):
    """R, S, T, Z …; "" when there is no such process any more."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_alive(pid):
    return state(pid) not in ("", "Z")


def fds(pid):
    """Open descriptors, as what they point at."""
    found = []
    for entry in os.scandir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(entry.path))
        except FileNotFoundError:
            pass
    return found


def datagram_sockets(pid):
    """The Unix datagram sockets it has open, as /proc/PID/fd shows them."""
    rows = [line.split() for line in pathlib.Path("/proc/net/unix").read_text().splitlines()[1:]]
    return {f"socket:[{row[6]}]" for row in rows if row[4] == "0002"} & set(fds(pid))


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _smaps_kib(pid, what):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1])
    raise AssertionError(f"no {what} in smaps_rollup")


def pss_kib(pid):
    return _smaps_kib(pid, "Pss")


def rss_kib(pid):
    return _smaps_kib(pid, "Rss")


_DIAG = struct.Struct("=IHHIIBBBBIHH16s16sI8s")


def unread(listener, client):
    """Bytes in the receive queue of the socket that serves `client` (its own address); None if
    there is no such socket (any more). sock_diag(7) finds the one; /proc/net/tcp lists all."""
    def part(address):
        return socket.htons(address[1]), socket.inet_aton(address[0]).ljust(16, b"\0")

    (sport, source), (dport, destination) = part(listener), part(client)
    every_state, any_cookie = 0xffffffff, b"\xff" * 8
    request = _DIAG.pack(_DIAG.size, 20, 1, 0, 0,           # SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST
                         socket.AF_INET, socket.IPPROTO_TCP, 0, 0, every_state,
                         sport, dport, source, destination, 0, any_cookie)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as diag:     # NETLINK_SOCK_DIAG
        diag.send(request)
        answer = diag.recv(65536)
    kind, state = struct.unpack_from("=H", answer, 4)[0], answer[17]
    if kind == 2 or state == 10:        # NLMSG_ERROR: there is none; TCP_LISTEN: that one alone
        return None
    return struct.unpack_from("=I", answer, 16 + 4 + 48 + 4)[0]


def memory_has(pid, patterns):
    """Which of these bytes are somewhere in its memory; root may look. A process that runs may
    have given memory back since it was listed: then it is looked through again."""
    for _ in range(9):
        try:
            return _memory_has(pid, patterns)
        except OSError as e:
            if e.errno != errno.EIO:
                raise
    return _memory_has(pid, patterns)


def _memory_has(pid, patterns):
    found = set()
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            where, rights, *rest = line.split(maxsplit=5)
            if "r" not in rights or (len(rest) == 4 and rest[3].startswith(("[vvar", "[vsys"))):
                continue
            start, end = (int(number, 16) for number in where.split("-"))
            mem.seek(start)
            image = mem.read(end - start)
            found.update(p for p in patterns if p in image)
    return found
