"""A reader of PROXY headers of our own, so that ours is not its own judge."""

import socket
import struct

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
NAMES = {1: "alpn", 2: "authority", 3: "crc32c", 5: "unique_id", 0x20: "ssl", 0x21: "version",
         0x22: "cn", 0x23: "cipher", 0x24: "sig_alg", 0x25: "key_alg", 0x26: "group", 0x28: "cert"}


def read_exactly(sock, n):
    data = b""
    while len(data) < n:
        more = sock.recv(n - len(data))
        assert more, data
        data += more
    return data


def tlvs(data):
    found = {}
    while data:
        kind, size = struct.unpack("!BH", data[:3])
        found[NAMES[kind]] = data[3:3 + size]
        data = data[3 + size:]
    return found


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def read_header(sock):
    """((source, destination), TLVs) of a version 2 header; the checksum is right."""
    head = read_exactly(sock, 16)
    assert head[:13] == SIGNATURE + b"\x21", head
    body = read_exactly(sock, struct.unpack("!H", head[14:])[0])
    if head[13] == 0:
        ends, rest = None, body
    else:
        size, family = {0x11: (4, socket.AF_INET), 0x21: (16, socket.AF_INET6)}[head[13]]
        ports = struct.unpack("!HH", body[2 * size:2 * size + 4])
        ends = tuple((socket.inet_ntop(family, body[i * size:(i + 1) * size]), ports[i])
                     for i in range(2))
        rest = body[2 * size + 4:]
    found = tlvs(rest)
    if "crc32c" in found:
        at = (head + body).rindex(b"\x03\x00\x04" + found["crc32c"]) + 3
        zeroed = (head + body)[:at] + bytes(4) + (head + body)[at + 4:]
        assert struct.unpack("!I", found.pop("crc32c"))[0] == crc32c(zeroed)
    if "ssl" in found:
        ssl_value = found.pop("ssl")
        found["client"], found["verify"] = struct.unpack("!BI", ssl_value[:5])
        found.update(tlvs(ssl_value[5:]))
    return ends, found
