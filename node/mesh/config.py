"""Where a node listens, and every duration of the mesh."""

from __future__ import annotations

from dataclasses import dataclass, field

from node.net.settings import NetSettings
from protocol.members.swim import SwimConfig


@dataclass(frozen=True, slots=True)
class MeshConfig:
    """`advertise` is what the node's card says; empty means the address it listens on. `listen_bulk` is the plain
    door for sealed bytes; empty means none. A new record is pushed to `push_fanout` members within
    `push_interval_s`; every `reconcile_interval_s` the records are compared with one member's, for
    `reconcile_timeout_s` at most, and a quarter of it with each that came back meanwhile. A failed dial is repeated
    after `backoff_first_s`, doubling up to `backoff_most_s`. A starting node asks its peers for what it may have
    forgotten, for `settle_s` at most, before it signs a new card.
    """

    listen: str
    advertise: tuple[str, ...] = ()
    listen_bulk: str = ""
    advertise_bulk: str = ""
    swim: SwimConfig = field(default_factory=SwimConfig)
    net: NetSettings = field(default_factory=NetSettings)
    push_fanout: int = 3
    push_interval_s: float = 0.2
    reconcile_interval_s: float = 10.0
    reconcile_timeout_s: float = 60.0
    dial_timeout_s: float = 5.0
    ask_timeout_s: float = 10.0
    join_timeout_s: float = 30.0
    settle_s: float = 5.0
    card_interval_s: float = 5.0
    backoff_first_s: float = 0.2
    backoff_most_s: float = 15.0
    idle_close_s: float = 300.0
