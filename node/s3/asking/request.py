"""One request, as everything above the bytes of HTTP sees it.

Made from the ASGI scope once, and never changed. Header values are latin-1 text, so that signing can go back to the
very bytes that were sent; header lines with one name are joined with a comma, as SigV4 and HTTP join them. In a
presigned URL clients may put `x-amz-` headers into the query, because whoever uses the URL cannot add headers: once
the URL's signature is proven, they are headers like the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from node.s3.texts import faults
from node.s3.texts.checksums import OF_NO_BYTES
from node.s3.texts.faults import S3Error
from node.s3.texts.names import decoded
from node.s3.texts.numbers import NO_NUMBER, read_count
from protocol.quick_init import quick_init, quick_replace

QUERY_PARAMETERS_MAX = 200
# What these say is percent-encoded once more, and read as letters; everything else may go out again as it came.
_IN_LETTERS = frozenset({"x-amz-copy-source", "x-amz-tagging"})
_SDK_ALGORITHM = "x-amz-sdk-checksum-algorithm"


@quick_init
@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about: a bucket, a key in it, or (both empty) the whole namespace.

    `namespace` is given where the path says `NAMESPACE:BUCKET`, for a bucket of another namespace than the key's.
    """

    bucket: str = ""
    key: str = ""
    namespace: str | None = None

    @property
    def named(self) -> str:
        """The bucket as the path names it."""
        return self.bucket if self.namespace is None else f"{self.namespace}:{self.bucket}"


NOWHERE = Target()


@quick_init
@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """`raw_path` and `query_pairs` are as they were sent; `query` has what they say, by name."""

    method: str
    raw_path: str
    query_pairs: tuple[tuple[str, str], ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    id: str
    target: Target = NOWHERE
    is_secure: bool = False
    client: str = ""  # the address that it comes from

    def has_any(self, names: frozenset[str]) -> bool:
        """Whether there is a header of one of these names: most requests have none of most families."""
        return not names.isdisjoint(self.headers)

    def about(self, target: Target) -> Request:
        """The same, once it is known what it is about."""
        return quick_replace(self, target=target)

    def presigned(self) -> Request:
        """The same, once it is proven by a presigned URL: what stands in its query for headers is among these."""
        lowered = {
            name.lower() if name.lower().startswith("x-amz-") else name: text for name, text in self.query.items()
        }
        instead = {name: header_text(name, text) for name, text in lowered.items() if _is_meant(name, text)}
        return quick_replace(self, query=lowered, headers={**instead, **self.headers})

    @property
    def content_length(self) -> int | None:
        """The declared size of the body, or None. Raises S3Error(InvalidArgument)."""
        text = self.headers.get("content-length")
        if text is None:
            return None
        size_bytes = read_count(text)
        if size_bytes == NO_NUMBER:
            raise faults.invalid("Content-Length", text)
        return size_bytes


def _is_meant(name: str, text: str) -> bool:
    """Whether this of a URL's query stands for a header. The checksum of no bytes does not: SDKs write it there where
    they sign for a body that they do not know, and the algorithm whether or not there is a checksum; Amazon looks at
    neither.
    """
    return name.startswith("x-amz-") and name != _SDK_ALGORITHM and (name, text) not in OF_NO_BYTES


def header_text(name: str, text: str) -> str:
    """What stands in a URL or a form for a header, as the header would have it: the bytes of its UTF-8 in latin-1."""
    return text if name in _IN_LETTERS else text.encode().decode("latin-1")


def read_request(scope: Mapping[str, Any], request_id: str) -> Request:
    """The request of an ASGI scope, in which names of headers are lower case and values have no blanks around them.

    Raises:
        S3Error: InvalidURI.
    """
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    raw_path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
    pairs = _pairs(scope.get("query_string", b"").decode("latin-1"))
    return Request(
        method=scope["method"],
        raw_path=raw_path,
        query_pairs=pairs,
        query={_query_text(name): _query_text(value) for name, value in reversed(pairs)},
        headers=headers,
        id=request_id,
        is_secure=scope.get("scheme") == "https",
        client=str((scope.get("client") or ("",))[0]),
    )


def _pairs(raw: str) -> tuple[tuple[str, str], ...]:
    if not raw:
        return ()
    pieces = raw.split("&")
    if len(pieces) > QUERY_PARAMETERS_MAX:
        raise S3Error(faults.INVALID_URI)
    parted = [piece.partition("=") for piece in pieces if piece]
    return tuple((name, value) for name, _equals, value in parted)


def _query_text(raw: str) -> str:
    """In a query a plus sign stands for a space, as browsers and SDKs have it."""
    if "%" not in raw and "+" not in raw:
        return raw
    return decoded(raw.replace("+", " "))
