"""One epoch of a small journal, and what may be asked of the store that keeps it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio

from node.store.epoch_state import state_path
from node.store.journal_copy import JournalName
from node.store.journals import JournalStore
from node.store.kept_epoch import KeptEpoch
from protocol.namespace.journal import Opening, Tip, check_chain, encode_opening, start_of
from protocol.succession.acceptor import AcceptorState, accept, promise
from protocol.succession.ballot import Ballot, Candidacy
from protocol.succession.proposal import Proposal
from protocol.succession.succession import Succession
from tests.support.circle import Circle, Gateway
from tests.support.crashing import Machine

CIRCLE = Circle(("alpha", "beta", "gamma"))
ALPHA, DELTA = CIRCLE.gateway("alpha"), CIRCLE.gateway("delta")
FIRST = ALPHA.opening(CIRCLE.holders)
NAMESPACE = FIRST.namespace
NAME = JournalName(NAMESPACE, 1)
START = start_of(FIRST)
CHAIN = ALPHA.chain(FIRST, START, 8)


def tip_of(length: int) -> Tip:
    return check_chain(FIRST, START, CHAIN[:length])


@asynccontextmanager
async def running(machine: Machine) -> AsyncIterator[JournalStore]:
    store = JournalStore(machine.host())
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        yield store
        nursery.cancel_scope.cancel()


async def begin(store: JournalStore, opening: Opening = FIRST, succession: bytes = b"", length: int = 0) -> None:
    await store.prepare(encode_opening(opening))
    await store.open(encode_opening(opening), succession)
    if length:
        await store.append(NAMESPACE, opening.epoch, 0, CHAIN[:length])


def promising(candidacy: Candidacy) -> Callable[[KeptEpoch], tuple[AcceptorState, Tip]]:
    return lambda kept: (promise(kept.acceptor, candidacy), kept.tip)


def accepting(proposal: Proposal) -> Callable[[KeptEpoch], tuple[AcceptorState, None]]:
    return lambda kept: (accept(kept.acceptor, proposal, kept.head_at), None)


async def promised(store: JournalStore) -> Ballot | None:
    return await store.decide(NAMESPACE, 1, lambda kept: (kept.acceptor, kept.acceptor.promised))


def decree_of(gateway: Gateway = DELTA, length: int = 5) -> Opening:
    return gateway.decree(FIRST, tip_of(length), CIRCLE.holders)


def succession_of(gateway: Gateway = DELTA, length: int = 5) -> Succession:
    return CIRCLE.succession(FIRST, gateway.proposal(FIRST, decree_of(gateway, length)))


async def read_all(store: JournalStore, epoch: int = 1) -> list[bytes]:
    return list(await store.read(NAMESPACE, epoch, 0, 10**6))


def spoil(machine: Machine, name: JournalName = NAME) -> None:
    """Flip a bit of the state."""
    content = machine.files["."][state_path(name)]
    content.current[len(content.current) // 2] ^= 4
    content.durable = content.current
