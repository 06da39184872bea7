"""What an owner may choose about the store: which disks, how much of each, and how it groups its writes."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.limits import MIB


@dataclass(frozen=True, slots=True)
class DiskConfig:
    """One disk. `path` is given to `Host.open_disk`; the node keeps to `capacity_bytes` of it, and never brings
    its free space below `reserve_bytes`, so that deletions and the owner's other programs always have room."""

    path: str
    capacity_bytes: int
    reserve_bytes: int


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """`batch_bytes_max` bounds what one write and one fdatasync carry, and so what a restart must verify byte by
    byte; `index_lag_max` bounds how many entries the index may be behind the volumes."""

    disks: tuple[DiskConfig, ...]
    volume_bytes: int = 1024 * MIB
    batch_bytes_max: int = 16 * MIB
    index_lag_max: int = 256
    compact_below_percent: int = 50
    compact_every_s: float = 3600.0
