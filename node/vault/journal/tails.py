"""How far an epoch is acknowledged, asked of its holders without a promise: for who reads what another one writes.

An entry that w holders show is with more honest ones than may be lost, so whoever ends the epoch adopts it.
"""

from __future__ import annotations

from dataclasses import dataclass

import trio

from node.vault.journal.line import HeldTail, RemoteLine, note_problem
from node.vault.journal.local import own_tail
from node.vault.journal.tools import ReadTools
from protocol.errors import MaillonError, Unavailable
from protocol.ids import NodeId
from protocol.namespace.journal import Opening


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """So many entries are with w holders. `is_over`: some of them promised the end to somebody, or know of it."""

    length: int
    is_over: bool


async def acknowledged(tools: ReadTools, opening: Opening) -> Acknowledged:
    """How many entries of the epoch w holders have.

    Raises:
        Unavailable: `journal-not-ready`, with the holders that did not answer.
    """
    tails: dict[NodeId, HeldTail] = {}

    async def ask(node: NodeId) -> None:
        try:
            tail = await _tail(tools, node, opening)
        except MaillonError as error:
            note_problem(node, error)
        else:
            if tail is not None:
                tails[node] = tail

    async with trio.open_nursery() as nursery:
        for node in opening.holders:
            nursery.start_soon(ask, node)
    if len(tails) < opening.w:
        away = tuple(tools.name_of(node) for node in opening.holders if node not in tails)
        raise Unavailable("journal-not-ready", namespace=tools.namespace, needed=opening.w, away=away)
    lengths = sorted((tail.tip.length for tail in tails.values()), reverse=True)
    return Acknowledged(lengths[opening.w - 1], any(tail.is_fenced for tail in tails.values()))


async def _tail(tools: ReadTools, node: NodeId, opening: Opening) -> HeldTail | None:
    if node == tools.me:
        return await own_tail(tools.local, opening)
    return await RemoteLine(node, opening, tools.ask, tools.timers.ask_deadline_s).tail()
