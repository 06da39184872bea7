"""Spreading one block: n shares to n holders, answered when enough of them are durable.

Shares go to all holders at once. The block is acknowledged when all n are durable, or, once `straggler_wait` is
over, when k + margin are; what is still missing then is left to the completer. A holder that refuses or cannot be
reached is replaced at once by the next lawful one in rendezvous order, if there is one: a full disk or a dead member
costs a detour, not the write. The shares' memory is free for re-use when `spread` ends, whichever way it ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import trio

from node.logs import get_logger
from node.vault.holders import Holders
from protocol.coding.block import EncodedBlock
from protocol.coding.label import Label, Stamp, sign_label
from protocol.errors import MaillonError, Unavailable
from protocol.ids import BlockId, NodeId
from protocol.keys.signing import SigningKey
from protocol.members.roster import Rules
from protocol.placement.place import place, replace

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SpreadTimes:
    """How long to wait for the last holders once enough have answered, and for enough of them at all."""

    straggler_wait_s: float
    put_deadline_s: float


@dataclass(frozen=True, slots=True)
class Spread:
    """Where a block's shares are now: `placing[i]` holds share i unless bit i of `missing` is set."""

    placing: tuple[NodeId, ...]
    missing: int

    def lacking(self) -> set[int]:
        """The indices of the shares that are nowhere yet."""
        return {index for index in range(len(self.placing)) if self.missing >> index & 1}


@dataclass(slots=True)
class _Progress:
    """What the sending tasks of one block have reached so far."""

    placing: tuple[NodeId, ...]
    durable: set[int] = field(default_factory=set)
    failed: dict[NodeId, MaillonError] = field(default_factory=dict)
    changed: trio.Event = field(default_factory=trio.Event)

    def note(self) -> None:
        """Wake whoever waits for the next change."""
        self.changed.set()
        self.changed = trio.Event()


class Spreader:
    """Sends blocks of one namespace, in the name of its writer."""

    def __init__(self, holders: Holders, writer: SigningKey, times: SpreadTimes) -> None:
        self._holders = holders
        self._writer = writer
        self._times = times

    async def spread(self, encoded: EncodedBlock, rules: Rules, stamp: Stamp, keep_until_s: int) -> Spread:
        """Place and send a fresh block.

        Raises:
            Refused: `placement-impossible`.
            Unavailable: `holders-too-few`, with how many shares are durable and needed, and who is missing and why.
        """
        avoid = self._holders.unreachable()
        placing = place(encoded.header.block_id, rules.data_class, rules.code, rules.candidates, avoid=avoid)
        self._require_live(placing, rules, avoid)
        patience_s = self._times.straggler_wait_s
        return await self._send_all(
            encoded, rules, stamp, keep_until_s, placing, set(range(rules.code.n)), patience_s
        )

    async def complete(
        self, encoded: EncodedBlock, rules: Rules, stamp: Stamp, keep_until_s: int, now: Spread
    ) -> Spread:
        """Send what is missing of a block that was acknowledged short of n shares. Nobody waits for the answer, so
        every holder has the whole deadline: one that is always slow would never get its share otherwise."""
        placing = self._moved(encoded.header.block_id, rules, now)
        patience_s = self._times.put_deadline_s
        return await self._send_all(encoded, rules, stamp, keep_until_s, placing, now.lacking(), patience_s)

    def can_complete(self, block: BlockId, rules: Rules, now: Spread) -> bool:
        """Whether there is anybody now to whom a missing share could be sent."""
        placing, away = self._moved(block, rules, now), self._holders.unreachable()
        return any(placing[index] not in away for index in now.lacking())

    def _moved(self, block: BlockId, rules: Rules, now: Spread) -> tuple[NodeId, ...]:
        """The placing with missing shares named to others where their holders are away, as far as there are any."""
        avoid = self._holders.unreachable()
        gone = {index for index in now.lacking() if now.placing[index] in avoid}
        return replace(block, now.placing, gone, rules.data_class, rules.code, rules.candidates, avoid=avoid)

    def _require_live(self, placing: tuple[NodeId, ...], rules: Rules, unreachable: frozenset[NodeId]) -> None:
        """Refuse at once, with names, what is known to fail: a write should not hang for its deadline first."""
        down = [node for node in placing if node in unreachable]
        if len(placing) - len(down) < rules.code.least:
            away = Unavailable("node-unreachable")
            raise self._too_few(rules, len(placing) - len(down), dict.fromkeys(down, away))

    async def _send_all(
        self,
        encoded: EncodedBlock,
        rules: Rules,
        stamp: Stamp,
        keep_until_s: int,
        placing: tuple[NodeId, ...],
        wanted: set[int],
        patience_s: float,
    ) -> Spread:
        progress = _Progress(placing, durable=set(range(rules.code.n)) - wanted)
        sender = _Sender(self._holders, self._writer, encoded, rules, stamp, keep_until_s, progress)
        with trio.move_on_after(self._times.put_deadline_s):
            async with trio.open_nursery() as nursery:
                for index in sorted(wanted):
                    nursery.start_soon(sender.send, index)
                await self._wait_enough(progress, rules, patience_s)
                nursery.cancel_scope.cancel()
        if len(progress.durable) < rules.code.least:
            slow = Unavailable("deadline")
            absent = [node for index, node in enumerate(progress.placing) if index not in progress.durable]
            reasons = {node: progress.failed.get(node, slow) for node in absent}
            raise self._too_few(rules, len(progress.durable), reasons)
        missing = sum(1 << index for index in range(rules.code.n) if index not in progress.durable)
        return Spread(progress.placing, missing)

    async def _wait_enough(self, progress: _Progress, rules: Rules, patience_s: float) -> None:
        """Until all shares are settled, or enough are durable and the stragglers had their time."""
        n, least = rules.code.n, rules.code.least
        while len(progress.durable) < least and not _settled(progress, n):
            await progress.changed.wait()
        with trio.move_on_after(patience_s):
            while not _settled(progress, n):
                await progress.changed.wait()

    def _too_few(self, rules: Rules, reached: int, absent: Mapping[NodeId, MaillonError]) -> Unavailable:
        """Who is missing, and what each said: a full disk is mended otherwise than a dead machine."""
        named = [(self._holders.name(node), error.identifier) for node, error in absent.items()]
        return Unavailable(
            "holders-too-few",
            reached=reached,
            needed=rules.code.least,
            code=str(rules.code),
            missing=tuple(name for name, _reason in named),
            because=tuple(f"{name}: {reason}" for name, reason in named),
        )


def _settled(progress: _Progress, n: int) -> bool:
    """Whether every share is durable or has no holder left to try."""
    lost = {index for index, node in enumerate(progress.placing) if node in progress.failed}
    return len(progress.durable | lost) == n


class _Sender:
    """Sends the shares of one block; each `send` is a task of its own."""

    def __init__(
        self,
        holders: Holders,
        writer: SigningKey,
        encoded: EncodedBlock,
        rules: Rules,
        stamp: Stamp,
        keep_until_s: int,
        progress: _Progress,
    ) -> None:
        self.holders = holders
        self.writer = writer
        self.encoded = encoded
        self.rules = rules
        self.stamp = stamp
        self.keep_until_s = keep_until_s
        self.progress = progress
        self._label = self._sign(progress.placing)

    async def send(self, index: int) -> None:
        """Make share `index` durable somewhere lawful; ends when it is, or when nobody is left to ask."""
        while True:
            node = self.progress.placing[index]
            proof = self.encoded.proofs[index]
            try:
                # A member known to be down would only cost its dial's deadline; the completer tries it again.
                self.holders.require_reachable(node)
                await self.holders.put(node, self._current_label(), proof, self.encoded.shares[index])
            except MaillonError as error:
                log.info("spread.holder-failed", node=self.holders.name(node), error=str(error))
                self.progress.failed[node] = error
                if not self._move_on(index):
                    self.progress.note()
                    return
            else:
                self.progress.durable.add(index)
                self.progress.note()
                return

    def _move_on(self, index: int) -> bool:
        """Name another holder for the share; False when there is none."""
        before = self.progress.placing
        avoid = self.holders.unreachable() | self.progress.failed.keys()
        block, rules = self.encoded.header.block_id, self.rules
        after = replace(block, before, {index}, rules.data_class, rules.code, rules.candidates, avoid=avoid)
        self.progress.placing = after
        return after != before

    def _current_label(self) -> Label:
        if self._label.placing != self.progress.placing:
            self._label = self._sign(self.progress.placing)
        return self._label

    def _sign(self, placing: tuple[NodeId, ...]) -> Label:
        return sign_label(self.writer, self.encoded.header, placing, self.stamp, self.keep_until_s)
