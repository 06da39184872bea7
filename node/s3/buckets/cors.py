"""CORS: which web pages of other origins may use a bucket from a browser.

The browser asks before (a preflight, which nobody signs) and looks at the answers. Rules only say what browsers may
show to a page; who may read what is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from node.s3.asking.request import Request
from node.s3.asking.wire import Headers
from node.s3.calls import documents
from node.s3.calls.call import Answer, Call, xml_answer
from node.s3.texts import faults
from node.s3.texts.faults import S3Error
from node.s3.texts.xml_in import Element, malformed, parse
from node.vault.shelf.shelf import Shelf

DOCUMENT = "cors"
RULES_MAX = 100
_METHODS = ("GET", "PUT", "POST", "DELETE", "HEAD")


@dataclass(frozen=True, slots=True)
class Rule:
    """What some origins may do."""

    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...]
    exposed: tuple[str, ...]
    max_age_s: str

    def allows(self, origin: str, method: str, headers: Iterable[str]) -> bool:
        """Whether a page of that origin may use the method with these headers."""
        return (
            method in self.methods
            and any(_fits(one, origin) for one in self.origins)
            and all(any(_fits(one, header.lower()) for one in self.headers) for header in headers)
        )


async def get_cors(call: Call) -> Answer:
    """GetBucketCors: the very document that was put."""
    return xml_answer(await documents.kept(call, DOCUMENT, faults.NO_SUCH_CORS))


async def put_cors(call: Call) -> Answer:
    """PutBucketCors."""
    await documents.keep(call, DOCUMENT, read_rules)
    return Answer()


async def delete_cors(call: Call) -> Answer:
    """DeleteBucketCors."""
    return await documents.forget(call, DOCUMENT)


@lru_cache(maxsize=256)
def read_rules(data: bytes) -> tuple[Rule, ...]:
    """The rules. Raises S3Error(MalformedXML, InvalidRequest)."""
    told = parse(data, "CORSConfiguration")
    told.only("CORSRule")
    if not 1 <= len(told.children) <= RULES_MAX:
        raise malformed()
    return tuple(_rule(one) for one in told.children)


def _rule(told: Element) -> Rule:
    told.only("ID", "AllowedOrigin", "AllowedMethod", "AllowedHeader", "ExposeHeader", "MaxAgeSeconds")
    origins, methods = _texts(told, "AllowedOrigin"), _texts(told, "AllowedMethod")
    if not origins or not methods:
        raise malformed()
    for method in methods:
        if method not in _METHODS:
            raise S3Error(
                faults.INVALID_REQUEST,
                f"Found unsupported HTTP method in CORS config. Unsupported method is {method}",
            )
    headers = tuple(one.lower() for one in _texts(told, "AllowedHeader"))
    if any(one.count("*") > 1 for one in (*origins, *headers)):
        raise S3Error(faults.INVALID_REQUEST, "AllowedOrigin and AllowedHeader can not have more than one wildcard.")
    age = told.value("MaxAgeSeconds") or ""
    if age and not (age.isascii() and age.isdigit() and len(age) < 10):
        raise malformed()
    exposed = _texts(told, "ExposeHeader")
    if any(not one.isprintable() for one in exposed):
        raise malformed()
    return Rule(origins, methods, headers, exposed, age)


def _texts(told: Element, name: str) -> tuple[str, ...]:
    return tuple(one.text.strip() for one in told.all(name))


def _fits(pattern: str, text: str) -> bool:
    """One star stands for any letters."""
    before, star, after = pattern.partition("*")
    if not star:
        return pattern == text
    return len(text) >= len(before) + len(after) and text.startswith(before) and text.endswith(after)


async def preflight(shelves: tuple[Shelf, ...], request: Request) -> Answer:
    """The answer to OPTIONS, by the rules of the first of these shelves that has some.

    Raises:
        S3Error: AccessForbidden, BadRequest.
    """
    origin = request.headers.get("origin")
    method = request.headers.get("access-control-request-method")
    if origin is None or method is None:
        raise S3Error(faults.BAD_REQUEST, "Insufficient information. Origin request header needed.")
    text = request.headers.get("access-control-request-headers", "")
    headers = [word.strip() for word in text.split(",") if word.strip()]
    found = [await _matching(shelf, request, origin, method, headers) for shelf in shelves]
    rule = next((one for one in found if one is not None), None)
    if rule is None:
        raise S3Error(faults.CORS_DENIED)
    told = [*_told(rule, origin), ("access-control-allow-methods", ", ".join(rule.methods))]
    if headers:
        told.append(("access-control-allow-headers", ", ".join(header.lower() for header in headers)))
    if rule.max_age_s:
        told.append(("access-control-max-age", rule.max_age_s))
    return Answer(200, told)


async def cors_headers(shelf: Shelf, request: Request) -> Headers:
    """What an answer to a page of another origin has besides; nothing for others."""
    origin = request.headers.get("origin")
    if origin is None or not request.target.bucket:
        return ()
    rule = await _matching(shelf, request, origin, request.method, ())
    return () if rule is None else _told(rule, origin)


def _told(rule: Rule, origin: str) -> list[tuple[str, str]]:
    is_open = "*" in rule.origins
    told = [("access-control-allow-origin", "*" if is_open else origin)]
    if not is_open:
        told.append(("access-control-allow-credentials", "true"))
    if rule.exposed:
        told.append(("access-control-expose-headers", ", ".join(rule.exposed)))
    told.append(("vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"))
    return told


async def _matching(shelf: Shelf, request: Request, origin: str, method: str, headers: Iterable[str]) -> Rule | None:
    kept = await documents.if_any(shelf, shelf.buckets.find(request.target.bucket), DOCUMENT)
    rules = () if kept is None else read_rules(kept)
    return next((rule for rule in rules if rule.allows(origin, method, headers)), None)
