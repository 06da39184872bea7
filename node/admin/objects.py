"""Namespaces and objects: the admin socket's calls into the vault.

Object bytes go straight from the exchange, or from a file that the asker has open, into the vault's buffers and back,
through no buffer of our own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from node.admin import calls
from node.admin.lines import BlockLine, ObjectLine, ShareLine
from node.admin.namespace_calls import NamespaceCreate, NamespaceCreated
from node.admin.object_calls import (
    PAGE_BLOCKS,
    Explained,
    ExplainObject,
    GetObject,
    ListObjects,
    Moved,
    ObjectPage,
    ObjectRef,
    PutObject,
    SharedFile,
    Transfer,
)
from node.admin.services import Services
from node.admin.shared import opened
from node.host.ports import Buffer, FileMode
from node.net.exchange import Exchange
from node.stalls import not_stalled
from node.vault.objects import BlockExplanation, Bucket, ObjectPath, ObjectStat, ShareExplanation, Source
from protocol.errors import Malformed


async def create_namespace(services: Services, question: NamespaceCreate) -> NamespaceCreated:
    """A new namespace with this node as its gateway."""
    created = await services.vault.create_namespace(question.name, data_class=question.data_class)
    return NamespaceCreated(created.name, created.namespace, services.config.node.name, created.sheet)


async def put(services: Services, exchange: Exchange, question: PutObject) -> None:
    """Store the exchange's payload, or the shared file; the answer says that it is durable."""
    async with _bytes_of(services, exchange, question.shared) as source:
        checked = CheckedSource(source, question.size_bytes, services.config.vault.stall_s)
        found = await services.vault.put(_path(question.target), checked, expected_bytes=question.size_bytes)
    await exchange.answer(_line(found))


@asynccontextmanager
async def _bytes_of(services: Services, exchange: Exchange, shared: SharedFile | None) -> AsyncIterator[Source]:
    if shared is None:
        yield exchange
    else:
        async with opened(services, shared, FileMode.READ) as file:
            yield file


class CheckedSource:
    """A source that is as long as was said, though a file may change meanwhile, and fills each buffer in time."""

    def __init__(self, source: Source, size_bytes: int | None, stall_s: float) -> None:
        self._source = source
        self._size_bytes = size_bytes
        self._stall_s = stall_s
        self._received = 0

    async def receive_into(self, buffer: memoryview) -> int:
        """As a source.

        Raises:
            Malformed: `object-size-changed`. Unavailable: `client-stalled`.
        """
        with not_stalled(self._stall_s):
            count = await self._source.receive_into(buffer)
        self._received += count
        if self._size_bytes is not None and (
            self._received > self._size_bytes or (count < len(buffer) and self._received < self._size_bytes)
        ):
            raise Malformed("object-size-changed", expected_bytes=self._size_bytes, found_bytes=self._received)
        return count


async def get(services: Services, exchange: Exchange, question: GetObject) -> None:
    """Stream an object as the answer's payload, or write it to the shared file."""
    path = _path(question.target)
    if question.shared is None:
        asker = _ToAsker(exchange)
        await services.vault.get(path, asker)
        await asker.end()
        return
    async with opened(services, question.shared, FileMode.WRITE) as file:
        found = await services.vault.get(path, file)
    await exchange.answer(_line(found))


async def transfer(services: Services, question: Transfer) -> Moved:
    """How far a transfer through a shared file is."""
    return Moved(services.transfers.get(question.transfer, 0))


class _ToAsker:
    """The asker as the vault's sink. The first bytes leave together with what the object is."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._waiting: ObjectLine | None = None

    async def begin(self, stat: ObjectStat) -> None:
        self._waiting = _line(stat)

    async def write(self, parts: list[Buffer]) -> None:
        if self._waiting is None:
            await self._exchange.send(parts)
            return
        line, self._waiting = self._waiting, None
        await self._exchange.begin_answer(line, payload_bytes=line.size_bytes, first=parts)

    async def end(self) -> None:
        """All of the object was written."""
        if self._waiting is not None:
            await self.write([])
        await self._exchange.finish()


async def list_objects(services: Services, question: ListObjects) -> ObjectPage:
    """One page of buckets or objects."""
    namespace = question.namespace or None
    if not question.bucket:
        buckets = [_bucket_line(bucket) for bucket in await services.vault.buckets(namespace)]
        after = [line for line in buckets if line.bucket > question.start_after]
        return ObjectPage(tuple(after[: calls.PAGE_LINES]), len(after) > calls.PAGE_LINES)
    listing = await services.vault.list(
        question.bucket,
        question.prefix,
        start_after=question.start_after,
        limit=calls.PAGE_LINES,
        namespace=namespace,
    )
    return ObjectPage(tuple(_line(entry) for entry in listing.entries), listing.truncated)


async def remove(services: Services, question: ObjectRef) -> calls.Done:
    """Delete one object."""
    await services.vault.remove(_path(question))
    return calls.Done()


async def stat(services: Services, question: ObjectRef) -> ObjectLine:
    """What the catalog knows of one object."""
    return _line(await services.vault.stat(_path(question)))


async def explain(services: Services, question: ExplainObject) -> Explained:
    """Some of an object's blocks with the holders of their shares."""
    explanation = await services.vault.explain(_path(question.target))
    last = question.first_block + PAGE_BLOCKS
    return Explained(
        object=_line(explanation.stat),
        blocks=tuple(_block_line(block) for block in explanation.blocks[question.first_block : last]),
        blocks_total=len(explanation.blocks),
        inline_holders=explanation.journal_holders,
    )


def _path(reference: ObjectRef) -> ObjectPath:
    return ObjectPath(reference.bucket, reference.key, reference.namespace or None)


def _line(found: ObjectStat) -> ObjectLine:
    return ObjectLine(
        bucket=found.bucket,
        key=found.key,
        size_bytes=found.size_bytes,
        modified_s=found.modified_s,
        data_class=found.data_class,
        blocks=found.blocks,
        inline=found.inline,
        version=found.version.hex(),
        stored_bytes=found.stored_bytes,
    )


def _bucket_line(bucket: Bucket) -> ObjectLine:
    return ObjectLine(bucket.name, "", 0, bucket.created_s, "", 0, inline=False, version="", stored_bytes=0)


def _block_line(block: BlockExplanation) -> BlockLine:
    shares = tuple(_share_line(share) for share in block.shares)
    return BlockLine(block.block, block.size_bytes, f"{block.k}/{block.n}", shares)


def _share_line(share: ShareExplanation) -> ShareLine:
    reason = share.reason
    return ShareLine(
        index=reason.index,
        node=reason.node,
        name=share.node_name,
        organisation=share.organisation_name,
        zone=reason.zone,
        jurisdiction=reason.jurisdiction,
        condition="live" if share.answers else "down",
        present=share.complete,
        rank=reason.rank,
        in_organisation=reason.in_organisation,
        most_in_organisation=reason.most_in_organisation,
        in_zone=reason.in_zone,
        most_in_zone=reason.most_in_zone,
        objection=reason.objection or "",
    )
