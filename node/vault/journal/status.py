"""How a journal is doing, as its writer knows it."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.ids import NodeId


@dataclass(frozen=True, slots=True)
class HolderStatus:
    """`problem` names why the holder is not answering as it should; None when it does."""

    node: NodeId
    length: int
    problem: str | None

    @property
    def answering(self) -> bool:
        return self.problem is None


@dataclass(frozen=True, slots=True)
class JournalStatus:
    """`acknowledged` of `length` entries are with `w` holders. `stopped` names why the writer gave up, if it did.

    `lease_s` is for how long the writer may still serve without hearing from its holders.
    """

    epoch: int
    length: int
    acknowledged: int
    w: int
    stopped: str | None
    holders: tuple[HolderStatus, ...]
    lease_s: float
