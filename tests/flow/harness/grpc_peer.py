"""gRPC's own library at both ends: services in plaintext, and clients over TLS.

A program for harness/jobs.py: python3 -m harness.grpc_peer. Bytes are sent as they are, so no
protoc is needed. A service answers each message with its name before it, and remembers it.
"""

import concurrent.futures
import pathlib
import queue
import threading

import grpc

from .jobs import work
from .waiting import PATIENCE

STREAMED = 100          # answers to one question
UNARY, STREAM, BOTH = "/shared.Echo/Unary", "/shared.Echo/Stream", "/shared.Echo/Both"

servers, channels, talks = {}, {}, {}


class Service(grpc.GenericRpcHandler):
    def __init__(self, name):
        self.name, self.heard = name.encode(), []
        self.methods = {
            UNARY: grpc.unary_unary_rpc_method_handler(lambda ask, _: self.answer(ask)),
            STREAM: grpc.unary_stream_rpc_method_handler(
                lambda ask, _: (self.answer(ask) for _ in range(STREAMED))),
            BOTH: grpc.stream_stream_rpc_method_handler(lambda asks, _: map(self.answer, asks)),
        }

    def service(self, details):
        return self.methods.get(details.method)

    def answer(self, ask):
        self.heard.append(ask.decode()[:40])
        return self.name + b"|" + ask


def serve(name):
    service = Service(name)
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(32), handlers=[service])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    servers[name] = (server, service)
    return {"address": f"127.0.0.1:{port}"}


def heard(name):
    return {"texts": " ".join(sorted(set(servers[name][1].heard)))}


def read(path):
    return pathlib.Path(path).read_bytes() if path else None


def channel(channel, port, name, ca, cert=None, key=None):
    """A channel of its own connection, which asks for `name`; nothing is tried twice."""
    credentials = grpc.ssl_channel_credentials(read(ca), read(key), read(cert))
    channels[channel] = grpc.secure_channel(f"127.0.0.1:{port}", credentials, options=[
        ("grpc.ssl_target_name_override", name), ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_retries", 0), ("grpc.enable_http_proxy", 0),
        ("grpc.initial_reconnect_backoff_ms", 600_000),
        ("grpc.min_reconnect_backoff_ms", 600_000), ("grpc.max_reconnect_backoff_ms", 600_000)])


def call(kind, channel):
    """Identity serializers are the default."""
    return getattr(channels[channel], kind[0])(kind[1])


def answered(replies, text):
    """Who answered, everything as it was said."""
    name, _, said = replies[0].partition(b"|")
    assert said == text and set(replies) == {replies[0]}, replies[0][:100]
    return {"service": name.decode(), "count": len(replies)}


def unary(channel, text, size=0):
    text = text.encode().ljust(int(size), b".")
    return answered([call(("unary_unary", UNARY), channel)(text, timeout=PATIENCE)], text)


def stream(channel, text):
    replies = list(call(("unary_stream", STREAM), channel)(text.encode(), timeout=PATIENCE))
    return answered(replies, text.encode())


class Talk:
    """A call whose two directions stay open."""

    def __init__(self, channel):
        self.todo, self.lock = queue.SimpleQueue(), threading.Lock()
        self.replies = call(("stream_stream", BOTH), channel)(iter(self.todo.get, None))

    def say(self, text):
        with self.lock:
            self.todo.put(text.encode())
            return answered([next(self.replies)], text.encode())

    def finish(self):
        self.todo.put(None)
        assert list(self.replies) == []
        return {"status": self.replies.code().name}


def say(channel, text):
    """In the talk of that channel, which the first word begins."""
    if channel not in talks:
        talks[channel] = Talk(channel)
    return talks[channel].say(text)


def finish(channel):
    return talks.pop(channel).finish()


def close(channel):
    channels.pop(channel).close()


if __name__ == "__main__":
    work({f.__name__: f for f in (serve, heard, channel, unary, stream, say, finish, close)})
    for running, _ in servers.values():
        running.stop(None).wait(PATIENCE)
