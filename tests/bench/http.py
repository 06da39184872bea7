"""What the HTTP server itself costs: `python -m tests.bench.http`.

One process serves an application that says hello, over loopback, plain; this one asks over sixteen connections that
stay open. What counts is the server's CPU, so that neither the client nor what else the machine does is in the
figure. Exit code 1 when the floor is missed.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
import time
from multiprocessing.connection import Connection

import trio

from node.host.certificate import make_contexts
from node.host.machine import SystemWallClock
from node.host.network import RealNetwork
from node.http.asgi import Receive, Scope, Send
from node.http.server import HttpServer
from node.http.settings import HttpSettings
from tests.bench.cpu import cpu_of

FLOOR = 4_000
CONNECTIONS = 16
SECONDS = 4.0
# As long as what S3's programs send.
REQUEST = (
    b"GET /bucket/some/key HTTP/1.1\r\nHost: 127.0.0.1:9000\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\n"
    b"X-Amz-Date: 20260101T000000Z\r\nX-Amz-Content-Sha256: UNSIGNED-PAYLOAD\r\nAuthorization: AWS4-HMAC-SHA256 "
    b"Credential=AKIAIOSFODNN7EXAMPLE/20260101/eu/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature="
    + b"0" * 64
    + b"\r\n\r\n"
)


async def hello(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"hello"})


def serve(told: Connection) -> None:
    async def main() -> None:
        listener = await RealNetwork(make_contexts).listen_plain("127.0.0.1:0")
        told.send(int(listener.address.rpartition(":")[2]))
        await HttpServer(hello, HttpSettings(), SystemWallClock()).serve(listener)

    trio.run(main)


def ask(port: int) -> int:
    """How many answers came."""
    clients = [socket.create_connection(("127.0.0.1", port)) for _number in range(CONNECTIONS)]
    answers, until_s = 0, time.monotonic() + SECONDS
    while time.monotonic() < until_s:
        for client in clients:
            client.sendall(REQUEST)
        answers += sum(client.recv(65_536).endswith(b"hello") for client in clients)
    for client in clients:
        client.close()
    return answers


def main() -> int:
    near, far = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(far,))
    server.start()
    try:
        pid, port = server.pid or os.getpid(), near.recv()
        began_s = cpu_of((pid,))
        answers = ask(port)
        rate = answers / (cpu_of((pid,)) - began_s)
    finally:
        server.terminate()
        server.join()
    sys.stdout.write(f"{rate:,.0f} requests for a second of the server's CPU (floor {FLOOR:,}), {answers:,} in all\n")
    return int(rate < FLOOR)


if __name__ == "__main__":
    sys.exit(main())
