"""A name server over UDP that answers as the test wants it to.

It knows IPv4 addresses alone: NameServer().names["db.test"] = (["127.0.0.2"], ttl). What it does
with a question can be changed at any time: .behave = "well", or
  silent     says nothing
  slow       answers after .delay seconds
  wrong_id   answers well, to a question that nobody asked
  garbage    sends bytes that are no answer
  nxdomain   says that there is no such name
  servfail   says that it failed
"""

import socket
import struct
import threading
import time

A, AAAA = 1, 28
NXDOMAIN, SERVFAIL = 3, 2


def question(packet):
    """The name, its type, and the question as it stands in the packet."""
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode().lower())
        at += 1 + packet[at]
    return ".".join(labels), struct.unpack_from("!H", packet, at + 1)[0], packet[12:at + 5]


def answer(ident, asked, rcode, records):
    """records: (type, ttl, data), all of the name that was asked for."""
    head = struct.pack("!HHHHHH", ident, 0x8180 | rcode, 1, len(records), 0, 0)
    body = b"".join(struct.pack("!HHHIH", 0xc00c, kind, 1, ttl, len(data)) + data
                    for kind, ttl, data in records)
    return head + asked + body


class NameServer:
    def __init__(self):
        self.names, self.behave, self.delay = {}, "well", 1.5
        self.asked = []         # (when, name, type) of each question
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                packet, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            name, kind, asked = question(packet)
            self.asked.append((time.monotonic(), name, kind))
            reply = self._reply(struct.unpack_from("!H", packet)[0], name, kind, asked)
            if reply and self.behave == "slow":
                threading.Timer(self.delay, self._send, (reply, peer)).start()
            elif reply:
                self._send(reply, peer)

    def _send(self, reply, peer):
        try:
            self.socket.sendto(reply, peer)
        except OSError:
            pass                # closed meanwhile

    def _reply(self, ident, name, kind, asked):
        addresses, ttl = self.names.get(name, (None, 0))
        how = self.behave
        if how == "silent":
            return None
        if how == "garbage":
            return struct.pack("!H", ident) + b"\xff" * 37
        if how == "servfail":
            return answer(ident, asked, SERVFAIL, [])
        if how == "nxdomain" or addresses is None:
            return answer(ident, asked, NXDOMAIN, [])
        records = [(A, ttl, socket.inet_aton(a)) for a in addresses if kind == A]
        return answer(ident ^ 0x5555 if how == "wrong_id" else ident, asked, 0, records)

    def questions(self):
        return len(self.asked)

    def close(self):
        self.socket.close()
