"""Static websites: a public bucket shown to browsers, with an index and an error page.

A site is served where the host is `BUCKET.DOMAIN` of a configured website domain, or is itself the name of a bucket
with a website, as a domain of one's own is set up at Amazon. Nothing is signed there: what the bucket's policy or an
object's ACL makes public is shown, all else is the error page.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.s3.calls import documents
from node.s3.calls.call import Answer, Call, xml_answer
from node.s3.texts import faults
from node.s3.texts.faults import S3Error
from node.s3.texts.xml_in import Element, malformed, parse
from node.s3.texts.xml_out import escaped

DOCUMENT = "website"


@dataclass(frozen=True, slots=True)
class Website:
    """`index` is what stands for a folder; `error` the key of the error page, or empty. Or all is elsewhere."""

    index: str = ""
    error: str = ""
    redirect_host: str = ""
    redirect_scheme: str = ""


async def get_website(call: Call) -> Answer:
    """GetBucketWebsite: the very document that was put."""
    return xml_answer(await documents.kept(call, DOCUMENT, faults.NO_SUCH_WEBSITE))


async def put_website(call: Call) -> Answer:
    """PutBucketWebsite."""
    await documents.keep(call, DOCUMENT, read_website)
    return Answer()


async def delete_website(call: Call) -> Answer:
    """DeleteBucketWebsite."""
    return await documents.forget(call, DOCUMENT)


def read_website(data: bytes) -> Website:
    """What the document says.

    Raises:
        S3Error: MalformedXML, InvalidArgument; NotImplemented for routing rules.
    """
    told = parse(data, "WebsiteConfiguration")
    told.refuse("RoutingRules")
    told.only("IndexDocument", "ErrorDocument", "RedirectAllRequestsTo")
    elsewhere, index, error = told.one("RedirectAllRequestsTo"), told.one("IndexDocument"), told.one("ErrorDocument")
    if elsewhere is not None:
        if index is not None or error is not None:
            raise malformed()
        return _elsewhere(elsewhere)
    if index is None:
        raise faults.invalid("IndexDocument", "", "A value for IndexDocument Suffix must be provided.")
    suffix = index.need("Suffix")
    if "/" in suffix:
        raise faults.invalid("IndexDocument", suffix, "The IndexDocument Suffix is not well formed")
    return Website(suffix, "" if error is None else error.need("Key"))


def _elsewhere(told: Element) -> Website:
    told.only("HostName", "Protocol")
    host, scheme = told.need("HostName"), told.value("Protocol") or ""
    if scheme not in ("", "http", "https") or not host.isprintable() or set(host) & set("/\\?# "):
        raise malformed()
    return Website(redirect_host=host, redirect_scheme=scheme)


def page(title: str, status: int, error: S3Error) -> Answer:
    """A page for people, where the bucket has none of its own."""
    name, message = escaped(f"{status} {title}"), escaped(error.message)
    body = (
        f"<!doctype html>\n<html><head><title>{name}</title></head><body><h1>{name}</h1>"
        f"<ul><li>Code: {escaped(error.fault.code)}</li><li>Message: {message}</li></ul></body></html>\n"
    )
    return Answer(status, (("content-type", "text/html; charset=utf-8"), *error.headers), body.encode())
