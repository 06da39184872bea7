"""The ASGI application: from a request's first byte to its line in the log.

Every request goes the same way: what is it about, what does it ask, who asks and is that proven, may they; then one
handler does it. Whatever is raised on the way becomes S3's XML, with a request id that also stands in the log. One
line is logged for each request; it never holds the query, in which presigned URLs carry their signatures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import trio

from node.first_error import first_error
from node.host.ports import Host
from node.http.asgi import Receive, Scope, Send
from node.logs import get_logger
from node.s3.asking.operations import HEAD_BUCKET, POST_OBJECT, PREFLIGHT, Operation, operation_of
from node.s3.asking.request import Request, read_request
from node.s3.asking.settings import S3Settings
from node.s3.asking.targets import target_of
from node.s3.asking.unserved import OWNER, refuse_unserved, require_owner
from node.s3.asking.wire import Incoming, Outgoing
from node.s3.buckets.cors import cors_headers, preflight
from node.s3.calls import failures
from node.s3.calls.call import ANYBODY, Answer, Call, Caller, Handler
from node.s3.calls.shelves import Shelves
from node.s3.objects.form_data import Form
from node.s3.objects.forms import ANY_SIZE, post_object, request_of, signer, verified
from node.s3.objects.sources import SOURCE, source_named
from node.s3.rights.access import Verdict
from node.s3.rights.finding import CREATE_BUCKET, find, is_elsewhere
from node.s3.signing import claims
from node.s3.signing.chunk_signatures import SIGNED_IN_PIECES, PieceSignatures
from node.s3.signing.sigv4 import Claim, SigningKeys
from node.s3.table import HANDLERS
from node.s3.texts import faults
from node.s3.texts.faults import S3Error
from node.s3.visitors import site_of
from node.vault.shelf.terms import AccessKey
from node.vouchers import ELSEWHERE_EXTENSION, VOUCHER_EXTENSION, Elsewhere
from protocol.errors import MaillonError, Missing
from protocol.passing import Voucher

log = get_logger(__name__)

REQUEST_ID_BYTES = 8
WEBSITE = "Website"
CUT_OFF = "cut-off"
_OTHER_BUCKET = "Two gateways find different buckets in this request: they are not configured alike."


class Door:
    """S3 for every namespace of this gateway."""

    def __init__(
        self, shelves: Shelves, host: Host, settings: S3Settings, handlers: Mapping[str, Handler] = HANDLERS
    ) -> None:
        self._shelves = shelves
        self._host = host
        self._settings = settings
        self._handlers = handlers
        self._keys = SigningKeys()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, as ASGI 3 has it."""
        visit = _Visit(self._host.entropy.random_bytes(REQUEST_ID_BYTES).hex().upper(), scope, receive, send)
        try:
            await self._serve(visit, scope)
        except Elsewhere:
            visit.is_elsewhere = True
            raise
        except MaillonError as error:
            visit.code, visit.reason = failures.told(error).fault.code, error.identifier
            if visit.outgoing.has_begun:
                raise  # the client must see that what came is not all
            await visit.say(error)
        except Exception:
            visit.code = faults.INTERNAL.code
            log.exception("s3-failed", request=visit.id, operation=visit.operation)
            if visit.outgoing.has_begun:
                raise
            await visit.say(S3Error(faults.INTERNAL))
        except BaseException:  # cancelled: its client was too slow or left, or the node stops
            visit.reason = CUT_OFF
            raise
        finally:
            if not visit.is_elsewhere:
                visit.log()

    async def _serve(self, visit: _Visit, scope: Scope) -> None:
        request = visit.request = read_request(scope, visit.id)
        with first_error():
            site = await site_of(self._shelves, request, self._host, self._settings, visit.incoming, visit.outgoing)
            if site is None:
                answer = await self._of_bucket(visit, request)
            else:
                visit.operation, visit.request = WEBSITE, site.request
                answer = await site.show()
            if answer is not None:
                await visit.answer(answer)

    async def _of_bucket(self, visit: _Visit, request: Request) -> Answer | None:
        """S3's own operations."""
        request = visit.request = request.about(target_of(request, self._settings))
        operation = operation_of(request)
        visit.operation = operation.name
        named = self._shelves.shelves_with(request.target.bucket) if "origin" in request.headers else ()
        if operation is PREFLIGHT:
            return await preflight(named, request)
        if operation is HEAD_BUCKET:  # by this SDKs learn the region, also of a bucket that they may not see
            visit.outgoing.add((("x-amz-bucket-region", self._settings.region),))
        if len(named) == 1:  # then a page of another origin may also read why it was refused
            visit.outgoing.add(await cors_headers(named[0], request))
        if operation is POST_OBJECT:
            return await self._post(visit, request)
        call = await self._admit(visit, request, operation)
        if len(named) > 1:
            visit.outgoing.add(await cors_headers(call.shelf, request))
        handler = self._handlers.get(_handler_name(call))
        if handler is None:
            raise faults.not_served(call.operation.name)
        try:
            return await handler(call)
        except MaillonError as error:
            if call.needs_public and failures.told(error).fault.status == 404:
                raise S3Error(faults.ACCESS_DENIED) from None  # who may not list learns nothing of what there is
            raise

    async def _admit(self, visit: _Visit, request: Request, operation: Operation) -> Call:
        """Who asks, is it proven, and may they."""
        claim = claims.claim_of(request, self._host.wall.now_s())
        caller, signatures = ANYBODY, None
        if claim is not None:
            caller, key = self._prove(request, claim, visit.extensions.get(VOUCHER_EXTENSION))
            visit.caller, signatures = caller, PieceSignatures(claim, key)
            if ELSEWHERE_EXTENSION in visit.extensions and operation.name != CREATE_BUCKET:
                self._look_elsewhere(request, claim, caller, key)
            if "authorization" not in request.headers:
                request = visit.request = request.presigned()
        return await self._call(visit, request, operation, caller, claim=claim, signatures=signatures)

    async def _call(
        self,
        visit: _Visit,
        request: Request,
        operation: Operation,
        caller: Caller,
        *,
        claim: Claim | None = None,
        signatures: PieceSignatures | None = None,
    ) -> Call:
        refuse_unserved(request, operation)
        meant, verdict = await find(self._shelves, caller, request, operation)
        require_owner(request, meant.shelf.namespace)
        return Call(
            request=request,
            operation=operation,
            shelf=meant.shelf,
            known=meant.info,
            shelves=self._shelves,
            caller=caller,
            host=self._host,
            settings=self._settings,
            incoming=visit.incoming,
            outgoing=visit.outgoing,
            claim=claim,
            signatures=signatures,
            needs_public=verdict is Verdict.IF_PUBLIC,
        )

    def _prove(self, request: Request, claim: Claim, voucher: Voucher | None) -> tuple[Caller, bytes]:
        """Who asks, and the key that signs the chunks of the body."""
        if voucher is not None:
            if voucher.access_key != claim.key_id:
                raise S3Error(faults.SIGNATURE_MISMATCH)
            if voucher.bucket != request.target.bucket:  # their `domains` differ: the path is no bucket and key here
                raise S3Error(faults.INVALID_REQUEST, _OTHER_BUCKET)
            vouched = AccessKey(voucher.access_key, "", None, voucher.is_read_only, 0)
            return Caller(vouched, home=voucher.namespace), voucher.signing_key
        caller, secret = self._caller(claim.key_id)
        key = self._keys.derive(secret, claim.scope)
        claims.verify(request, claim, key)
        return caller, key

    def _look_elsewhere(self, request: Request, claim: Claim, caller: Caller, key: bytes) -> None:
        """Raises Elsewhere when another gateway may have the bucket."""
        own, bucket = caller.owner, request.target.bucket
        if own is None or caller.key is None or not is_elsewhere(self._shelves, caller, request.target):
            return
        if request.headers.get(OWNER) == own.namespace:
            return  # its own is meant, and another gateway may have a namespace of that name too
        is_readable = bool(self._shelves.shelves_with(bucket))
        if is_readable and not own.is_written_here:
            return  # the writer of the key's namespace is silent, and nobody else's word for it counts
        needed = key if claim.payload in SIGNED_IN_PIECES else b""
        voucher = Voucher(own.id, claim.key_id, caller.key.is_read_only, bucket, needed)
        raise Elsewhere(voucher, is_readable=is_readable, refusal=self._no_copy(request, caller))

    def _no_copy(self, request: Request, caller: Caller) -> S3Error | None:
        """Why the request is not for another gateway: there the source would be looked for, and one of its name that
        is another's taken for the one that is here.
        """
        if SOURCE not in request.headers:
            return None
        source, _version = source_named(request)
        if is_elsewhere(self._shelves, caller, source):
            return None
        return faults.not_served(f"{SOURCE} of a bucket that another gateway has than the one it is copied to")

    async def _post(self, visit: _Visit, request: Request) -> Answer:
        """A browser's form: who uploads, and what, stands in its fields."""
        form = Form(visit.incoming, request.headers.get("content-type", ""))
        await form.read_fields()
        caller, policy = ANYBODY, ANY_SIZE
        key_id = signer(form.fields)
        if key_id is not None:
            caller, secret = self._caller(key_id)
            visit.caller = caller
            policy = verified(form.fields, secret, self._keys, request.target.named, self._host.wall.now_s())
        put = visit.request = request_of(request, form)
        return await post_object(await self._call(visit, put, POST_OBJECT, caller), form, policy)

    def _caller(self, key_id: str) -> tuple[Caller, str]:
        """Whose key this is, and its secret. Raises S3Error(InvalidAccessKeyId), or Unavailable while namespaces
        open.
        """
        try:
            shelf, key = self._shelves.key(key_id)
        except Missing:
            raise S3Error(faults.INVALID_ACCESS_KEY, details=(("AWSAccessKeyId", key_id[:128]),)) from None
        return Caller(key, shelf), key.secret


def _handler_name(call: Call) -> str:
    """A PUT with a source is a copy."""
    name = call.operation.name
    if "x-amz-copy-source" in call.request.headers and name in ("PutObject", "UploadPart"):
        return "CopyObject" if name == "PutObject" else "UploadPartCopy"
    return name


class _Visit:
    """What is to be told of a request in the end, however it ends."""

    def __init__(self, request_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        self.id = request_id
        self.extensions: Mapping[str, Any] = scope.get("extensions", {})
        self.is_elsewhere = False
        self.incoming = Incoming(scope, receive)
        self.outgoing = Outgoing(scope, send, request_id)
        self.request = Request(scope["method"], "", (), {}, {}, request_id)
        self.operation = ""
        self.caller = ANYBODY
        self.code = ""
        self.reason = ""
        self._began_s = trio.current_time()

    async def answer(self, answer: Answer) -> None:
        """Send a whole answer."""
        length = () if answer.status in (204, 304) else (("content-length", str(len(answer.body))),)
        own = {name for name, _value in answer.headers}
        missing = length if "content-length" not in own else ()
        await self.outgoing.begin(answer.status, (*answer.headers, *missing))
        await self.outgoing.end(answer.body)

    async def say(self, error: MaillonError) -> None:
        """Send what went wrong. A client that is gone cannot be told."""
        try:
            await self.answer(failures.answer(failures.told(error), self.request))
        except MaillonError as gone:
            log.debug("s3-unheard", request=self.id, error=str(gone))

    def log(self) -> None:
        """The request's line."""
        log.info(
            "s3-request",
            request=self.id,
            operation=self.operation,
            method=self.request.method,
            bucket=self.request.target.bucket,
            key=self.request.target.key,
            status=self.outgoing.status,
            code=self.code,
            reason=self.reason,
            access_key=self.caller.id,
            received=self.incoming.received,
            sent=self.outgoing.sent,
            ms=round((trio.current_time() - self._began_s) * 1_000),
        )
