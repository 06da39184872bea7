"""One call: a request that is known to be from somebody, about something, and allowed; and the answers to it.

Handlers take a `Call` and return an `Answer`, or stream one themselves and return None. They see the vault only
through the shelf of the namespace that the request is about; the other shelves are for who looks for a copy's source.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from node.host.ports import Host
from node.s3.asking.canned_acls import is_public
from node.s3.asking.operations import Operation
from node.s3.asking.request import Request
from node.s3.asking.settings import S3Settings
from node.s3.asking.wire import Headers, Incoming, Outgoing
from node.s3.calls.shelves import Shelves
from node.s3.signing import promises
from node.s3.signing.bodies import Upload
from node.s3.signing.chunk_signatures import PieceSignatures
from node.s3.signing.sigv4 import Claim
from node.s3.texts import faults
from node.s3.texts.faults import S3Error
from node.s3.texts.xml_in import Element, parse
from node.vault.objects import ObjectStat
from node.vault.shelf.shelf import Shelf
from node.vault.shelf.terms import AccessKey, BucketInfo, Finish
from protocol.errors import Missing
from protocol.ids import NamespaceId, is_identity_text, text_of
from protocol.quick_init import quick_init

XML_BYTES_MAX = 2 * 1024 * 1024
DOCUMENT_BYTES_MAX = 20 * 1024


@quick_init
@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int = 200
    headers: Headers = ()
    body: bytes = b""


def xml_answer(body: bytes, headers: Headers = ()) -> Answer:
    """An answer in XML."""
    return Answer(200, (("content-type", "application/xml"), *headers), body)


NO_CONTENT = Answer(204)


@quick_init
@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a key of a namespace, or (None) anybody. `owner` is the key's own namespace; where another
    gateway knows the key and vouches for it, `home` is that namespace's id.
    """

    key: AccessKey | None = None
    owner: Shelf | None = None
    home: NamespaceId | None = None

    @property
    def id(self) -> str:
        return "" if self.key is None else self.key.key_id

    @property
    def names(self) -> tuple[str, ...]:
        """How policies call the namespace of the key: by its id and, where it is at home here, by its name.

        A name that could be an id is none to them: the namespace that has that id may be another gateway's.
        """
        if self.owner is not None:
            name, own_id = self.owner.namespace, text_of(self.owner.id)
            return (own_id,) if is_identity_text(name) else (name, own_id)
        return () if self.home is None else (text_of(self.home),)


ANYBODY = Caller()


class Proven(Protocol):
    """A source that knows, once it has ended, what came out of it."""

    async def receive_into(self, buffer: memoryview) -> int:
        """As a source of the vault."""

    async def finish(self) -> Finish:
        """Raises S3Error when it is not what was promised."""


@quick_init
@dataclass(frozen=True, slots=True)
class Call:
    """A request that may be served. `known` is its bucket, if there is one, as it was when the request was let in.
    `needs_public`: only if the object's own ACL says that everybody may read it."""

    request: Request
    operation: Operation
    shelf: Shelf
    known: BucketInfo | None
    shelves: Shelves
    caller: Caller
    host: Host
    settings: S3Settings
    incoming: Incoming
    outgoing: Outgoing
    claim: Claim | None = None
    signatures: PieceSignatures | None = None
    needs_public: bool = False

    @property
    def bucket(self) -> str:
        return self.request.target.bucket

    @property
    def key(self) -> str:
        return self.request.target.key

    @property
    def query(self) -> QueryOf:
        return QueryOf(self.request)

    def info(self) -> BucketInfo:
        """The bucket as it was when the request was let in. Raises Missing(`bucket-missing`)."""
        if self.known is None:
            raise Missing("bucket-missing", bucket=self.bucket)
        return self.known

    @property
    def owner_id(self) -> str:
        """Who owns the bucket: its namespace."""
        return self.shelf.namespace

    def upload(self) -> tuple[Upload, int | None]:
        """The request's body as a source that checks itself, and its declared size."""
        return promises.upload(self.request, self.incoming, self.host.threads, self.claim, self.signatures)

    async def finish(self, source: Proven) -> Finish:
        """What came is what was promised, by a key that still opens something now that the last of it has come.

        Raises:
            S3Error: InvalidAccessKeyId when the key was revoked meanwhile; and as the source's `finish`.
        """
        told = await source.finish()
        key, owner = self.caller.key, self.caller.owner
        if key is not None and owner is not None and owner.keys.find(key.key_id) is None:
            raise S3Error(faults.INVALID_ACCESS_KEY)
        return told

    async def body(self, limit_bytes: int = XML_BYTES_MAX) -> bytes:
        """A small body, whole and checked.

        Raises:
            S3Error: MaxMessageLengthExceeded, and whatever is wrong with it.
        """
        source, declared = self.upload()
        if declared is not None and declared > limit_bytes:
            raise S3Error(faults.MAX_MESSAGE_LENGTH)
        found = bytearray()
        while True:
            buffer = bytearray(min(64 * 1024, (declared if declared is not None else limit_bytes) + 1))
            count = await source.receive_into(memoryview(buffer))
            found += buffer[:count]
            if len(found) > limit_bytes:
                raise S3Error(faults.MAX_MESSAGE_LENGTH)
            if count < len(buffer):
                break
        await self.finish(source)
        return bytes(found)

    async def xml(self, root: str, limit_bytes: int = XML_BYTES_MAX) -> Element:
        """A body that is XML. Raises S3Error(MissingRequestBodyError, MalformedXML)."""
        data = await self.body(limit_bytes)
        if not data:
            raise S3Error(faults.NO_BODY)
        return parse(data, root)

    def require_public(self, found: ObjectStat) -> None:
        """Raises S3Error(AccessDenied) when only the object's own ACL could allow this, and does not."""
        if self.needs_public and not is_public(found):
            raise S3Error(faults.ACCESS_DENIED)


class QueryOf:
    """The query's parameters, each read as what it must be."""

    def __init__(self, request: Request) -> None:
        self._query = request.query

    def text(self, name: str) -> str:
        """Empty when absent."""
        return self._query.get(name, "")

    def count(self, name: str, *, default: int, most: int) -> int:
        """A number of things; more than the most is the most. Raises S3Error(InvalidArgument)."""
        text = self._query.get(name)
        if text is None or text == "":
            return default
        if not (text.isascii() and text.isdigit()) or len(text) > 10:
            raise faults.invalid(name, text, f"Argument {name} must be an integer between 0 and 2147483647")
        return min(int(text), most)


Handler = Callable[[Call], Awaitable[Answer | None]]
