"""Finding the newest epoch of a namespace: what our own disk knows, and what the members can prove.

Every proof leads one epoch on, and names holders that may know of the next; so they are asked until nobody knows of
a newer one. To miss the newest does no harm: the holders of an older one, asked to promise, prove that it is over.
"""

from __future__ import annotations

from collections.abc import Collection

import trio

from node.logs import get_logger
from node.vault.journal.line import Answered, note_problem
from node.vault.journal.tools import Known, ReadTools
from protocol.errors import Forged, MaillonError, Unavailable
from protocol.ids import NodeId, short_text_of
from protocol.namespace.journal import FIRST_EPOCH, Opening, decode_opening
from protocol.requests import Kind
from protocol.succession.requests import SuccessionAsk, SuccessionAskReply
from protocol.succession.succession import Succession, decode_succession

log = get_logger(__name__)


async def discover(tools: ReadTools, hint: Opening | None, places: Collection[NodeId] = ()) -> Known:
    """The newest epoch that anybody who answers can prove. `places`: further nodes that may know.

    Raises:
        Unavailable: `journal-not-found` when nobody knows any epoch of the namespace.
    """
    best = await known_here(tools, hint)
    asked: set[NodeId] = {tools.me}
    while True:
        holders = best.opening.holders if best is not None else ()
        following = (set(holders) | set(places) | tools.live()) - asked
        if not following:
            break
        asked |= following
        for found in await _ask_all(tools, best, following):
            best = newer(best, found)
    if best is None:
        raise Unavailable("journal-not-found", namespace=tools.namespace)
    log.info("journal.found", namespace=short_text_of(tools.namespace), epoch=best.opening.epoch)
    return best


def newer(best: Known | None, found: Known) -> Known:
    """The one of the higher rank; of two of one rank the one that is proven."""
    if best is None or found.opening.rank > best.opening.rank:
        return found
    is_better = best.succession is None and found.succession is not None
    return found if is_better and found.opening.rank == best.opening.rank else best


async def known_here(tools: ReadTools, hint: Opening | None) -> Known | None:
    """The newest epoch that our own disk can prove, or the hint when that is the first of all."""
    namespace, best = tools.namespace, None
    if hint is not None and hint.epoch == FIRST_EPOCH:
        best = Known(hint, None)
    for held in await tools.local.held(namespace):
        try:
            opening = decode_opening(await tools.local.opening(namespace, held.epoch))
            proof = await tools.local.succession(namespace, held.epoch)
            if proof:
                best = newer(best, _proven(decode_succession(proof)))
            elif opening.epoch == FIRST_EPOCH:
                best = newer(best, Known(opening, None))
        except MaillonError as error:
            log.warning("journal.own-epoch-unreadable", epoch=held.epoch, error=str(error))
    return best


async def _ask_all(tools: ReadTools, best: Known | None, nodes: Collection[NodeId]) -> list[Known]:
    """What each of them shows, of those that answer before the deadline or a little after enough have."""
    found: list[Known] = []
    left = len(nodes)
    answered = trio.Event()

    async def ask(node: NodeId) -> None:
        nonlocal left
        try:
            found.extend(await _ask(tools, best, node))
        except MaillonError as error:
            note_problem(node, error)
        left -= 1
        if left <= len(nodes) // 2:
            answered.set()

    async with trio.open_nursery() as nursery:
        for node in sorted(nodes):
            nursery.start_soon(ask, node)
        await answered.wait()
        nursery.cancel_scope.deadline = trio.current_time() + tools.timers.tails_grace_s
    return found


async def _ask(tools: ReadTools, best: Known | None, node: NodeId) -> list[Known]:
    namespace = tools.namespace
    question = SuccessionAsk(namespace, best.opening.epoch if best is not None else FIRST_EPOCH)
    answer: Answered[SuccessionAskReply] = await tools.ask(
        node, Kind.SUCCESSION_ASK, question, SuccessionAskReply, deadline_s=tools.timers.ask_deadline_s
    )
    reply, found = answer.message, []
    if reply.newest:
        found.append(_proven(decode_succession(reply.newest)))
    if reply.opening:
        opening = decode_opening(reply.opening)
        if opening.epoch == FIRST_EPOCH:
            found.append(Known(opening, None))
    if any(known.opening.namespace != namespace for known in found):
        raise Forged("journal-answer", node=node)
    return found


def _proven(succession: Succession) -> Known:
    return Known(succession.decree, succession)
