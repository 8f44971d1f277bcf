"""All clients of the shared address at once, and what the gate is to say of each."""

import collections
import concurrent.futures
import json

from . import tools
from .shared_address import CONTROLLER, LEDGER, SEGMENTS, WEB

TLS12, TLS13 = "TLSv1.2", "TLSv1.3"

# host, context, version, how many; the route, and whose name is logged
JAVA = [("127.0.0.1", "trusting", TLS12, 1, "cassandra", None),
        ("127.0.0.1", "trusting", TLS13, 2, "cassandra", None),
        (SEGMENTS, "trusting", TLS12, 1, "segments", None),
        (SEGMENTS, "trusting", TLS13, 4, "segments", None),
        (LEDGER, "alice", TLS12, 1, "ledger", "cn:alice"),
        (LEDGER, "alice", TLS13, 2, "ledger", "cn:alice")]
# name, certificate; as above
GRPC = [(CONTROLLER, None, 2, "controller", None), (CONTROLLER, "planner", 1, "controller", None),
        (LEDGER, "planner", 2, "ledger-rpc", "cn:planner")]


class Crowd:
    """All clients: each a thread, and what the gate is to say of it, one line each."""

    def __init__(self, address, java, rpc, pairs, certs):
        self.address, self.java, self.rpc = address, java, rpc
        self.ca = certs.ca.cert
        self.pairs = {**pairs, "alice": certs.client, None: None}
        self.pool = concurrent.futures.ThreadPoolExecutor(40)
        self.lines = collections.Counter()      # route, sni, alpn, tls, identity, cause
        self.heard = collections.defaultdict(set)
        self.staying = []

    def stay(self, program, connection, route, text):
        """Say something, and remember who is there."""
        self.staying.append((program, connection, route, text))
        self.speak(*self.staying[-1])

    def speak(self, program, connection, route, text):
        service = self.address.rpc_services.get(route, route)
        how = {"connection": connection, "size": 3000} if program is self.java else {
            "channel": connection}
        said = program.do("talk" if program is self.java else "say", text=text, **how)
        assert said["service"] == service, (said, route)

    def come_java(self, host, context, tls, route, text):
        self.stay(self.java, self.address.open(self.java, host, context, tls)[0], route, text)

    def come_grpc(self, name, who, route, text):
        self.stay(self.rpc, self.address.channel(self.rpc, name, self.pairs[who]), route, text)

    def curl(self):
        done = tools.run("curl", "-sS", "--cacert", self.ca, "--resolve",
                         f"{WEB}:{self.address.port}:127.0.0.1",
                         f"https://{WEB}:{self.address.port}/json")
        assert json.loads(done.stdout)["sni"] == WEB, done.stderr

    def http(self):
        page = self.java.do("http", context="trusting",
                            url=f"https://{WEB}:{self.address.port}/json")
        assert json.loads(page["body"])["sni"] == WEB

    def begin(self):
        """Everybody at once; futures."""
        todo = []

        def expect(*line, count=1):
            self.lines[line] += count

        for host, context, tls, count, route, identity in JAVA:
            sni = None if host == "127.0.0.1" else host
            expect(route, sni, None, tls, identity, None, count=count)
            for i in range(count):
                text = f"{context}-{tls}-{i}"
                self.heard[route].add(text)
                todo.append((self.come_java, host, context, tls, route, text))
        for name, who, count, route, identity in GRPC:
            expect(route, name, "h2", TLS13, identity, None, count=count)
            for i in range(count):
                text = f"{who}-{i}"
                self.heard[route].add(text)
                todo.append((self.come_grpc, name, who, route, text))
        for tls in (TLS12, TLS13):
            expect("ledger", LEDGER, None, None, None, "no-client-certificate")
            todo.append((self.address.refuse_java, self.java, LEDGER, tls))
        for who, identity, cause in ((None, None, "no-client-certificate"),
                                     ("alice", "cn:alice", "client-denied")):
            expect("ledger-rpc", LEDGER, None, None, identity, cause)
            todo.append((self.address.refuse_grpc, self.rpc, LEDGER, self.pairs[who]))
        expect("controller", CONTROLLER, "h2", TLS13, None, None)
        self.heard["controller"].add("unary-of-java")
        todo.append((self.address.unary_of_java, self.java, CONTROLLER, "unary-of-java"))
        for visit in (self.curl, self.http):
            expect("web", WEB, "http/1.1", TLS13, None, None)
            todo.append((visit,))
        return [self.pool.submit(*one) for one in todo]

    def speak_again(self):
        for done in [self.pool.submit(self.speak, *who) for who in self.staying]:
            done.result(60)

    def leave(self):
        for program, connection, _, _ in self.staying:
            if program is self.rpc:
                program.do("finish", channel=connection)
            program.do("close", **{"connection" if program is self.java else "channel": connection})
        self.pool.shutdown()

    @staticmethod
    def said_of(lines):
        return collections.Counter(
            tuple(r.get(k) for k in ("route", "sni", "alpn", "tls", "identity", "cause"))
            for r in lines)
