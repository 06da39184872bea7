"""Visitors of a static website: who comes by a site's host name, and what is shown to them.

A path is a key; one that ends with a slash, or names a folder, is its index. What is missing, or not public, is the
bucket's error page with the status that tells so.
"""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

from node.host.ports import Host
from node.s3.asking.operations import Operation, Right
from node.s3.asking.request import Request, Target
from node.s3.asking.settings import S3Settings
from node.s3.asking.targets import bucket_in_host, host_of
from node.s3.asking.wire import Incoming, Outgoing
from node.s3.buckets.websites import DOCUMENT, Website, page, read_website
from node.s3.calls import documents, failures
from node.s3.calls.call import ANYBODY, Answer, Call
from node.s3.calls.shelves import Shelves
from node.s3.objects.metadata import REDIRECT
from node.s3.objects.reading import get_object, head_object
from node.s3.rights.access import Access, Verdict
from node.s3.rights.finding import oldest_first
from node.s3.texts import faults
from node.s3.texts.faults import S3Error
from node.s3.texts.names import decoded, encoded_key
from node.vault.shelf.shelf import Shelf
from protocol.errors import MaillonError

_GET = Operation("GetObject", "s3:GetObject", Right.READ)


class Site:
    """One request to a website."""

    def __init__(self, shelf: Shelf, call: Call, website: Website) -> None:
        self._shelf = shelf
        self._call = call
        self._website = website

    @property
    def request(self) -> Request:
        """What was asked, about the site's bucket."""
        return self._call.request

    async def show(self) -> Answer | None:
        """The answer, or None when it was streamed."""
        request = self._call.request
        if self._website.redirect_host:
            scheme = self._website.redirect_scheme or ("https" if request.is_secure else "http")
            return _moved(301, f"{scheme}://{self._website.redirect_host}{request.raw_path}")
        if request.method not in ("GET", "HEAD"):
            return page("Method Not Allowed", 405, S3Error(faults.METHOD_NOT_ALLOWED))
        path = decoded(request.raw_path).removeprefix("/")
        is_folder = not path or path.endswith("/")
        key = path + self._website.index if is_folder else path
        try:
            return await self._object(key)
        except MaillonError as error:
            if self._call.outgoing.has_begun:
                raise
            return await self._instead(failures.told(error), path, is_folder=is_folder)

    async def _object(self, key: str, *, status: int = 200) -> Answer | None:
        call = await self._allowed(key)
        found = await self._shelf.objects.stat(call.bucket, key)
        call.require_public(found)
        elsewhere = next((one.value for one in found.metadata if one.name == REDIRECT), None)
        if elsewhere is not None:
            return _moved(301, elsewhere)
        if call.request.method == "HEAD":
            return replace(await head_object(call), status=status) if status != 200 else await head_object(call)
        return await get_object(call, status=status)

    async def _allowed(self, key: str) -> Call:
        """A call for this key. Raises S3Error(AccessDenied)."""
        call = self._call
        request = call.request.about(Target(call.bucket, key))
        verdict = await Access(ANYBODY, self._shelf, call.known, request).of(_GET)
        if verdict is Verdict.DENIED:
            raise S3Error(faults.ACCESS_DENIED)
        return replace(call, request=request, needs_public=verdict is Verdict.IF_PUBLIC)

    async def _instead(self, error: S3Error, path: str, *, is_folder: bool) -> Answer | None:
        """What is shown in the place of what cannot be."""
        if error.fault.status == 304:
            return failures.answer(error, self._call.request)
        if not is_folder and error.fault is faults.NO_SUCH_KEY and await self._is_folder(path):
            return _moved(302, f"/{encoded_key(path)}/")
        status = error.fault.status
        if self._website.error and status in (403, 404):
            try:
                return await self._object(self._website.error, status=status)
            except MaillonError:
                if self._call.outgoing.has_begun:
                    raise
        return page(HTTPStatus(status).phrase, status, error)

    async def _is_folder(self, path: str) -> bool:
        try:
            call = await self._allowed(f"{path}/{self._website.index}")
            call.require_public(await self._shelf.objects.stat(call.bucket, call.key))
        except MaillonError:
            return False
        return True


def _moved(status: int, where: str) -> Answer:
    return Answer(status, (("location", where),))


async def site_of(
    shelves: Shelves, request: Request, host: Host, settings: S3Settings, incoming: Incoming, outgoing: Outgoing
) -> Site | None:
    """The website that the request's host names, or None when it is none."""
    bucket = bucket_in_host(request, settings.website_domains)
    is_certain = bucket is not None
    if bucket is None:
        if not _may_be_visitor(request):
            return None
        bucket = host_of(request)
        if "." not in bucket or _is_ours(bucket, settings):
            return None
    for one in oldest_first(shelves, bucket):
        kept = await documents.if_any(one.shelf, one.info, DOCUMENT)
        if kept is not None:
            call = Call(
                request=request.about(Target(bucket)), operation=_GET, shelf=one.shelf, known=one.info,
                shelves=shelves, caller=ANYBODY, host=host, settings=settings, incoming=incoming, outgoing=outgoing,
            )  # fmt: skip
            return Site(one.shelf, call, read_website(kept))
    if is_certain:
        raise S3Error(faults.NO_SUCH_WEBSITE, details=(("BucketName", bucket[:64]),))
    return None


def _may_be_visitor(request: Request) -> bool:
    """Whether a bucket that is called like the host may answer as a site: a visitor signs nothing and only reads.

    Whoever may make buckets may call one like the gateway's own host. What programs ask of S3 must never reach it.
    """
    is_signed = "authorization" in request.headers or any(name.startswith("X-Amz-") for name in request.query)
    return request.method in ("GET", "HEAD") and not is_signed


def _is_ours(host: str, settings: S3Settings) -> bool:
    """The gateway's own names are no sites."""
    return any(host == domain or host.endswith(f".{domain}") for domain in settings.domains)
