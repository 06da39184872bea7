"""Ending an epoch among its holders: promise, accept, learn; and telling late-comers what came after.

The rules are `protocol.succession`'s, applied to what the disk holds: the new state is durable before the answer
goes out. Nobody is asked who he is here: a candidacy is signed by a writer that the root certified, a succession by
the holders, a release by the writer that it names.
"""

from __future__ import annotations

from collections.abc import Mapping

from node.host.ports import Host
from node.logs import get_logger
from node.mesh.journal_law import JournalLaw
from node.net.connection import Handler
from node.net.exchange import Exchange
from node.store.journals import JournalStore
from node.store.kept_epoch import KeptEpoch
from protocol import limits
from protocol.errors import Missing
from protocol.ids import NamespaceId, NodeId, short_text_of
from protocol.keys.signing import SigningKey
from protocol.members.view import View
from protocol.namespace.journal import Opening
from protocol.requests import Done, Kind
from protocol.succession.acceptor import AcceptorState, accept, promise
from protocol.succession.ballot import Candidacy, decode_candidacy
from protocol.succession.proposal import Proposal, decode_proposal, encode_proposal
from protocol.succession.requests import (
    AcceptReply,
    PromiseReply,
    ReleaseJournals,
    SuccessionAccept,
    SuccessionAsk,
    SuccessionAskReply,
    SuccessionLearn,
    SuccessionPromise,
)
from protocol.succession.succession import (
    JournalRelease,
    Succession,
    decode_succession,
    encode_succession,
    sign_acceptance,
    verify_release,
)
from protocol.wire import schema

log = get_logger(__name__)


class SuccessionServer:
    """Handlers for SUCCESSION_PROMISE, _ACCEPT, _LEARN and _ASK, and for JOURNAL_RELEASE."""

    def __init__(self, host: Host, journals: JournalStore, view: View, key: SigningKey) -> None:
        self._faults = host.faults
        self._journals = journals
        self._key = key
        self._law = JournalLaw(view, NodeId(key.public), journals.gateways)
        # The newest succession of each namespace that came by without its predecessor being kept here.
        self._learnt: dict[NamespaceId, Succession] = {}

    def handlers(self) -> Mapping[Kind, Handler]:
        return {
            Kind.SUCCESSION_PROMISE: self.serve_promise,
            Kind.SUCCESSION_ACCEPT: self.serve_accept,
            Kind.SUCCESSION_LEARN: self.serve_learn,
            Kind.SUCCESSION_ASK: self.serve_ask,
            Kind.JOURNAL_RELEASE: self.serve_release,
        }

    async def serve_promise(self, exchange: Exchange) -> None:
        """Follow a candidate, and say how far this copy goes.

        Raises:
            Missing: `journal-epoch`. Unavailable: `journal-not-open`. Damaged: `journal-damaged`.
            Refused: `journal-ended`, `journal-promised`, `journal-generation`.
            Malformed, Forged: a candidacy that does not verify, or is for another opening.
        """
        candidacy = decode_candidacy(exchange.decode(SuccessionPromise).candidacy)
        self._law.check_generation(candidacy.namespace, candidacy.certificate.generation)
        reply = await self._journals.decide(
            candidacy.namespace, candidacy.epoch, lambda kept: _promise(kept, candidacy)
        )
        await self._faults.reach("serve.before-promise-answer")
        await exchange.answer(reply)

    async def serve_accept(self, exchange: Exchange) -> None:
        """Accept a decree, and sign that.

        Raises:
            Unavailable: `journal-behind` when this copy does not reach the decree's end. The rest as for a promise.
        """
        proposal = decode_proposal(exchange.decode(SuccessionAccept).proposal)
        self._law.check_generation(proposal.decree.namespace, proposal.candidacy.certificate.generation)
        signature = await self._journals.decide(
            proposal.candidacy.namespace, proposal.candidacy.epoch, lambda kept: self._accept(kept, proposal)
        )
        await self._faults.reach("serve.before-accept-answer")
        await exchange.answer(AcceptReply(signature))

    async def serve_learn(self, exchange: Exchange) -> None:
        """An epoch ended. Raises Missing(`journal-epoch`) where nothing of its namespace is kept; Forged."""
        succession = decode_succession(exchange.decode(SuccessionLearn).succession)
        try:
            await self._journals.learn(succession)
        except Missing:
            self._remember(succession)
        await exchange.answer(Done())

    async def serve_ask(self, exchange: Exchange) -> None:
        """What is kept of a namespace, and what is the newest that is known."""
        question = exchange.decode(SuccessionAsk)
        epochs = await self._journals.held(question.namespace, question.epoch_least)
        newest = self._newest(question.namespace)
        reply = SuccessionAskReply(
            epochs=epochs[-limits.EPOCHS_PER_ANSWER_MAX :],
            newest=b"" if newest is None else encode_succession(newest),
            opening=self._journals.newest_opening(question.namespace),
        )
        await exchange.answer(reply)

    async def serve_release(self, exchange: Exchange) -> None:
        """Delete epochs that nobody needs any more, at the word of a writer whose own epoch is known to be decided.

        Raises:
            Missing: `journal-epoch` while it is not known. Refused: `journal-generation`. Malformed, Forged.
        """
        release = schema.decode(JournalRelease, exchange.decode(ReleaseJournals).release)
        opening = await self._decided(release.namespace, release.epoch)
        verify_release(release, opening)
        self._law.check_generation(opening.namespace, opening.generation)
        await self._journals.release_below(release.namespace, release.below)
        log.info("journal-released", namespace=short_text_of(release.namespace), below=release.below)
        await exchange.answer(Done())

    def _accept(self, kept: KeptEpoch, proposal: Proposal) -> tuple[AcceptorState, bytes]:
        return accept(kept.acceptor, proposal, kept.head_at), sign_acceptance(self._key, proposal)

    def _remember(self, succession: Succession) -> None:
        """Raises Missing(`journal-epoch`) when nothing of the namespace is kept; Refused(`journal-generation`)."""
        namespace = succession.decree.namespace
        self._law.check_generation(namespace, succession.decree.generation)
        known = self._newest(namespace)
        if known is None and not self._journals.keeps(namespace):
            raise Missing("journal-epoch", namespace=namespace, epoch=succession.predecessor.epoch)
        if known is None or known.decree.rank < succession.decree.rank:
            self._learnt[namespace] = succession

    def _newest(self, namespace: NamespaceId) -> Succession | None:
        found = [self._journals.newest_succession(namespace), self._learnt.get(namespace)]
        known = [succession for succession in found if succession is not None]
        return max(known, key=lambda succession: succession.decree.rank, default=None)

    async def _decided(self, namespace: NamespaceId, epoch: int) -> Opening:
        """The opening of an epoch that is known to be decided. Raises Missing(`journal-epoch`)."""
        newest = self._newest(namespace)
        if newest is not None and newest.decree.epoch == epoch:
            return newest.decree
        return await self._journals.decoded_opening(namespace, epoch)


def _promise(kept: KeptEpoch, candidacy: Candidacy) -> tuple[AcceptorState, PromiseReply]:
    after = promise(kept.acceptor, candidacy)
    accepted = b"" if after.accepted is None else encode_proposal(after.accepted)
    return after, PromiseReply(*kept.tip, accepted)
