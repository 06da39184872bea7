"""Every duration and bound of the HTTP server that a node's owner may choose."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.limits import KIB, MIB


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """`head_s`: a request's head must be whole within this after its first byte, and the first byte of a new
    connection must come within it too; `idle_s`: how long a connection waits for its next request. `stall_s`: a
    client that sends less than 64 KiB (`PROGRESS_BYTES`), or takes less than 512 KiB (`SEND_BYTES`), in so long is
    given up. `linger_s`: how long a refused client is listened to, so that it hears the refusal. `drain_s`: what a
    stop waits for at most.

    `leftover_bytes_max`: so much of a body that nobody wanted is read to keep the connection.
    """

    head_s: float = 15.0
    idle_s: float = 75.0
    stall_s: float = 60.0
    linger_s: float = 3.0
    drain_s: float = 20.0
    connections_max: int = 1_000
    head_bytes_max: int = 64 * KIB
    headers_max: int = 128
    target_bytes_max: int = 16 * KIB
    body_bytes_max: int = 5 * 1024 * 1024 * MIB
    leftover_bytes_max: int = 256 * KIB
