"""Every duration and bound of a connection that a node's owner may choose.

What both ends must agree on stands in `protocol.limits` instead.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocol.limits import MIB


@dataclass(frozen=True, slots=True)
class NetSettings:
    """`handshake_s`: a peer that has not proven itself by then is dropped. `ping_every_s`: a peer not heard for so
    long is pinged; `silent_after_s`: and given up after this, as is one that takes so long to take one write of
    ours. `abandon_grace_s`: how long a cancelled sender waits for the frame it is in the middle of; after that the
    connection is given up, as half a frame cannot be taken back. `buffered_bytes_max`: payload kept for handlers
    that have not asked for it yet, on one connection.
    """

    handshake_s: float = 10.0
    ping_every_s: float = 15.0
    silent_after_s: float = 45.0
    abandon_grace_s: float = 1.0
    buffered_bytes_max: int = 32 * MIB
