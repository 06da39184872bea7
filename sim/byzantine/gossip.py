"""Members that lie about the members: two words at one time, no word at all, and accusations.

The view needs no trust: records are signed, of two for one place every view keeps the same, two signatures under one
counter are evidence against who made them, and whoever is accused of being gone can say that it is not.
"""

from __future__ import annotations

from dataclasses import replace

import trio

from node.admin.services import Services
from node.config import Config
from node.net.connection import Handler
from node.net.exchange import Exchange
from protocol.ids import FederationId, NodeId
from protocol.limits import SWIM_UPDATES_MAX
from protocol.members import reconcile
from protocol.members.cards import NodeCard, make_node_card
from protocol.members.reconcile import Trie
from protocol.members.records import Record, RecordKind, encode_record
from protocol.members.swim_updates import Claim, decode_update, encode_update, sign_accusation
from protocol.requests import Done, Kind, Ping, PingViaReply, PushRecords, Reconcile
from protocol.wire import schema
from sim.byzantine.liar import Liar, Lie, try_to

_EVERY_S = 2.0
_ACCUSE_EVERY_S = 0.5
_ASK_S = 5.0
_NEVER_S = 1e6


def two_cards(liar: Liar) -> Lie:
    """Signs two cards of its own with one counter, and tells one half of the members this, the other half that.

    The halves meet in gossip: both keep the same one of the two, and with it the evidence.
    """

    async def work(services: Services) -> None:
        while True:
            await trio.sleep(_EVERY_S)
            others = sorted(services.mesh.live() - {services.mesh.me})
            cards = _two_cards(services, liar)
            liar.tells("two cards with one counter", counter=cards[0].counter, others=len(others))
            async with trio.open_nursery() as nursery:
                for place, other in enumerate(others):
                    nursery.start_soon(push, services, other, cards[place % 2])

    return Lie(work=work)


def withholds_gossip(liar: Liar) -> Lie:
    """Tells nobody of any record, and takes none: it pushes nothing, and has nothing when records are compared.

    What others say reaches everybody else by the others, who find each time that this one lacks all of it.
    """

    async def hear_push(exchange: Exchange, _honest: Handler) -> None:
        liar.tells("that it heard", count=len(exchange.decode(PushRecords).records))
        await exchange.answer(Done())

    async def compare(exchange: Exchange, _honest: Handler) -> None:
        question = reconcile.decode_question(exchange.decode(Reconcile).message)
        liar.tells("that it knows nothing")
        answers = reconcile.answer(Trie(question.salt, ()), question)
        await exchange.answer(Reconcile(reconcile.encode_answers(answers)))

    async def fetch(exchange: Exchange, _honest: Handler) -> None:
        liar.tells("that it has none of these records")
        await exchange.answer(PushRecords(()))

    def silent(config: Config) -> Config:
        gossip = replace(config.gossip, push_interval_s=_NEVER_S, reconcile_interval_s=_NEVER_S)
        return replace(config, gossip=gossip)

    twists = {Kind.PUSH_RECORDS: hear_push, Kind.RECONCILE: compare, Kind.FETCH_RECORDS: fetch}
    return Lie(twists, config=silent)


def accuses_the_living(liar: Liar) -> Lie:
    """Says of everybody, to everybody, that it got no answer; and reaches nobody for others.

    A suspicion is looked into by each who hears of it, and the accused rises above it with a newer claim, long
    before one accuser alone can have it declared down.
    """
    claims: dict[NodeId, Claim] = {}

    def hear(updates: tuple[bytes, ...]) -> None:
        for claim in (decode_update(update).claim for update in updates):
            known = claims.get(claim.node)
            if known is None or known.incarnation < claim.incarnation:
                claims[claim.node] = claim

    async def ping(exchange: Exchange, honest: Handler) -> None:
        hear(exchange.decode(Ping).updates)
        await honest(exchange)

    async def ping_via(exchange: Exchange, _honest: Handler) -> None:
        liar.tells("that somebody does not answer")
        await exchange.answer(PingViaReply(answered=False))

    async def accuse(services: Services, other: NodeId) -> None:
        accusations = _accusations(liar, services.mesh.view.federation, claims)
        answer = await services.mesh.ask(other, Kind.PING, Ping(accusations), Ping, deadline_s=_ASK_S)
        hear(answer.message.updates)

    async def work(services: Services) -> None:
        while True:
            await trio.sleep(_ACCUSE_EVERY_S)
            others = sorted(services.mesh.live() - {services.mesh.me})
            liar.tells("that nobody answers", accused=len(claims), others=len(others))
            async with trio.open_nursery() as nursery:
                for other in others:
                    nursery.start_soon(try_to, accuse(services, other))

    return Lie({Kind.PING: ping, Kind.PING_VIA: ping_via}, work)


async def push(services: Services, other: NodeId, *records: Record) -> None:
    """Tell one member these records, if it answers and takes them."""
    message = PushRecords(tuple(encode_record(record) for record in records))
    await try_to(services.mesh.ask(other, Kind.PUSH_RECORDS, message, Done, deadline_s=_ASK_S))


def own_card(services: Services) -> tuple[NodeCard, int]:
    """The node's card as its own view has it, and the counter of the next."""
    view, me = services.mesh.view, services.node_key.public
    said = (record for record in view.records() if record.kind == RecordKind.NODE and record.author == me)
    card = schema.decode(NodeCard, next(said).body)
    return card, view.next_counter(me, RecordKind.NODE, services.mesh.me)


def _two_cards(services: Services, liar: Liar) -> tuple[Record, Record]:
    card, counter = own_card(services)
    address, *_rest = card.addresses
    federation = services.mesh.view.federation
    one = replace(card, addresses=(address, "nowhere:1"))
    other = replace(card, addresses=(address, "nowhere:2"))
    return (
        make_node_card(liar.key, federation, one, counter=counter),
        make_node_card(liar.key, federation, other, counter=counter),
    )


def _accusations(liar: Liar, federation: FederationId, claims: dict[NodeId, Claim]) -> tuple[bytes, ...]:
    me = NodeId(liar.key.public)
    accused = [claim for node, claim in sorted(claims.items()) if node != me]
    return tuple(encode_update(sign_accusation(federation, liar.key, claim)) for claim in accused[:SWIM_UPDATES_MAX])
