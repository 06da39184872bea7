"""What gateways of one organisation ask each other, so that programs may knock at any of them.

A request of HTTP travels as its head in the question and its body as payload, and its answer the same way back. The
head is passed on as it came, because what a program signed covers the bytes it sent: who passes a request on can
neither change nor make one. Only nodes of the same organisation are answered.

A bucket may be shared with keys that another gateway knows. That one then proves who asks, and passes the request on
with its word for it, a voucher; which counts only from the gateway that writes the key's namespace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from protocol import limits
from protocol.ids import NamespaceId
from protocol.wire.schema import Length, Range

FIELDS_MAX = 256
Target = Annotated[bytes, Length(0, 16 * limits.KIB)]


@dataclass(frozen=True, slots=True)
class HttpField:
    """One header, as it came."""

    name: Annotated[bytes, Length(1, 1_024)]
    value: Annotated[bytes, Length(0, 64 * limits.KIB)]


HttpFields = Annotated[tuple[HttpField, ...], Length(0, FIELDS_MAX)]


@dataclass(frozen=True, slots=True)
class GatewayFind:
    """Is this access key yours; or, where none is named, do you have a bucket of this name? Answer: GatewayFound."""

    WIRE_VERSION: ClassVar[int] = 1
    access_key: Annotated[str, Length(0, 128)]
    bucket: Annotated[str, Length(0, limits.BUCKET_NAME_BYTES_MAX)]


@dataclass(frozen=True, slots=True)
class GatewayFound:
    WIRE_VERSION: ClassVar[int] = 1
    is_here: bool


@dataclass(frozen=True, slots=True)
class Voucher:
    """Whose request this is, as the gateway that knows the key has proven, and the bucket that it is about.

    `signing_key` is the one that the access key's secret gives for the day of the signature; only where the body's
    chunks are signed one by one, and otherwise empty.
    """

    namespace: NamespaceId
    access_key: Annotated[str, Length(1, 128)]
    is_read_only: bool
    bucket: Annotated[str, Length(1, limits.BUCKET_NAME_BYTES_MAX)]
    signing_key: Annotated[bytes, Length(0, 32)]

    def __repr__(self) -> str:
        return f"Voucher(access_key={self.access_key!r})"


@dataclass(frozen=True, slots=True)
class GatewayPass:
    """Serve this request; its body is the payload. Answer: GatewayAnswer, the body as payload."""

    WIRE_VERSION: ClassVar[int] = 2
    method: Annotated[str, Length(1, 16)]
    path: Target
    query: Target
    is_secure: bool
    client: Annotated[str, Length(0, 128)]
    fields: HttpFields
    voucher: Voucher | None


@dataclass(frozen=True, slots=True)
class GatewayAnswer:
    WIRE_VERSION: ClassVar[int] = 1
    status: Annotated[int, Range(100, 599)]
    fields: HttpFields
