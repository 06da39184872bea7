"""What the owner asks about the keys that programs sign their S3 requests with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from node.admin.calls import Command, Done, Lines, Name
from node.admin.lines import Bucket, S3KeyLine
from protocol.wire.schema import Length

KeyText = Annotated[str, Length(0, 128)]
Url = Annotated[str, Length(0, 1_024)]


@dataclass(frozen=True, slots=True, repr=False)
class S3KeyCreate:
    """Empty texts: the only namespace, all of its buckets, a key and secret that are drawn."""

    WIRE_VERSION: ClassVar[int] = 1
    namespace: Name
    bucket: Bucket
    read_only: bool
    access_key: KeyText
    secret_key: KeyText


@dataclass(frozen=True, slots=True, repr=False)
class S3KeyCreated:
    """All that a program is to be told. `endpoint` is empty while the node has no S3 door."""

    WIRE_VERSION: ClassVar[int] = 1
    endpoint: Url
    region: Name
    access_key: KeyText
    secret_key: KeyText


@dataclass(frozen=True, slots=True)
class S3KeyList:
    """From the `first` line on; an empty namespace stands for all."""

    WIRE_VERSION: ClassVar[int] = 1
    namespace: Name
    first: int


@dataclass(frozen=True, slots=True)
class S3KeyPage:
    WIRE_VERSION: ClassVar[int] = 1
    lines: Annotated[tuple[S3KeyLine, ...], Lines]
    total: int


@dataclass(frozen=True, slots=True)
class S3KeyRevoke:
    """A key's name is enough: no two namespaces of a node have one of the same name."""

    WIRE_VERSION: ClassVar[int] = 1
    access_key: KeyText


S3_KEY_CREATE = Command("s3-key-create", S3KeyCreate, S3KeyCreated)
S3_KEYS = Command("s3-keys", S3KeyList, S3KeyPage)
S3_KEY_REVOKE = Command("s3-key-revoke", S3KeyRevoke, Done)
