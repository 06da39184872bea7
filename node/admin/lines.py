"""What answers are made of: one line for each organisation, node, proposal, namespace, object, block or share.

They are what `--json` prints, so their field names are part of the command line's contract.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from protocol import limits
from protocol.ids import BlockId, NamespaceId, NodeId, OrganisationId, RecordId
from protocol.wire.schema import Length

Name = Annotated[str, Length(0, limits.NAME_BYTES_MAX)]
Names = Annotated[tuple[Name, ...], Length(0, 16)]
Certifications = Annotated[tuple[Annotated[str, Length(1, 64)], ...], Length(0, 16)]
Address = Annotated[str, Length(1, limits.ADDRESS_BYTES_MAX)]
Bucket = Annotated[str, Length(0, limits.BUCKET_NAME_BYTES_MAX)]
Key = Annotated[str, Length(0, limits.KEY_BYTES_MAX)]

# What is shown of an error beside a namespace: enough for its sentence, little enough for many namespaces at once.
PARAMETERS_MAX = 6
PARAMETER_NAME_BYTES_MAX = 32
PARAMETER_BYTES_MAX = 320


@dataclass(frozen=True, slots=True)
class OrganisationLine:
    """`admitted` is false while the organisation still shares the caps of its `sponsor`."""

    WIRE_VERSION: ClassVar[int] = 1
    id: OrganisationId
    name: Name
    admitted: bool
    sponsor: Name
    jurisdiction: Name
    legal_form: Name
    certifications: Certifications
    nodes: int


@dataclass(frozen=True, slots=True)
class NodeLine:
    """`condition` is what this node observes: live, suspect, down, left, or unknown."""

    WIRE_VERSION: ClassVar[int] = 1
    id: NodeId
    name: Name
    organisation: Name
    organisation_id: OrganisationId
    zone: Name
    addresses: Annotated[tuple[Address, ...], Length(0, limits.ADDRESSES_MAX)]
    capacity_bytes: int
    state: Name
    condition: Name


@dataclass(frozen=True, slots=True)
class ProposalLine:
    """`state` is open or decided; it is decided when `ballots` reach `needed`."""

    WIRE_VERSION: ClassVar[int] = 1
    id: RecordId
    action: Name
    subject: Name
    ballots: int
    needed: int
    electorate: int
    voted: bool
    state: Name


@dataclass(frozen=True, slots=True)
class StorageLine:
    """What this node keeps for the federation."""

    WIRE_VERSION: ClassVar[int] = 1
    capacity_bytes: int
    used_bytes: int
    free_bytes: int
    shares: int
    disks: int


@dataclass(frozen=True, slots=True)
class ParameterLine:
    """One parameter of an error, as a reader is shown it."""

    WIRE_VERSION: ClassVar[int] = 1
    name: Annotated[str, Length(0, PARAMETER_NAME_BYTES_MAX)]
    shown: Annotated[str, Length(0, PARAMETER_BYTES_MAX)]


@dataclass(frozen=True, slots=True)
class S3KeyLine:
    """A key that programs sign with, without its secret; for all buckets when `bucket` is empty."""

    WIRE_VERSION: ClassVar[int] = 1
    access_key: Name
    namespace: Name
    bucket: Bucket
    read_only: bool
    created_s: int


@dataclass(frozen=True, slots=True)
class NamespaceLine:
    """`survives` is how many members can be lost today; `code` is k/n with the margin of an answer.

    `why_not` names the error for which it is not `writable`, `why_parameters` what it concerns. `settled`: all that
    was written before the journal's present epoch rests on tables, no longer on holders of earlier epochs. Nothing
    refers to `releasing_blocks` any more, but not all of their holders have let go of them. `arrived_rows` of
    `arriving_rows` have come while the catalog is being filled from tables; otherwise both are 0. `drill_s`: when a
    recovery was rehearsed last, if ever.
    """

    WIRE_VERSION: ClassVar[int] = 1
    id: NamespaceId
    name: Name
    writable: bool
    why_not: Name
    why_parameters: Annotated[tuple[ParameterLine, ...], Length(0, PARAMETERS_MAX)]
    objects: int
    size_bytes: int
    code: Name
    survives: int
    incomplete_blocks: int
    releasing_blocks: int
    journal_epoch: int
    journal_length: int
    journal_w: int
    journal_holders: Names
    journal_live: int
    settled: bool
    drill_s: int | None
    arrived_rows: int
    arriving_rows: int


@dataclass(frozen=True, slots=True)
class ObjectLine:
    """An object, or a bucket (then the key is empty)."""

    WIRE_VERSION: ClassVar[int] = 1
    bucket: Bucket
    key: Key
    size_bytes: int
    modified_s: int
    data_class: Name
    blocks: int
    inline: bool
    version: Annotated[str, Length(0, 64)]
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class ShareLine:
    """Where one share is, and the facts for which it may be there.

    `rank` is the holder's place in the block's rendezvous order, from 1; 0 when it is no member now. `objection`
    names the rule that the holder breaks today, because facts may have changed since; it is empty when all is well.
    """

    WIRE_VERSION: ClassVar[int] = 1
    index: int
    node: NodeId
    name: Name
    organisation: Name
    zone: Name
    jurisdiction: Name
    condition: Name
    present: bool
    rank: int
    in_organisation: int
    most_in_organisation: int
    in_zone: int
    most_in_zone: int
    objection: Name


@dataclass(frozen=True, slots=True)
class BlockLine:
    """One block with its shares."""

    WIRE_VERSION: ClassVar[int] = 1
    id: BlockId
    size_bytes: int
    code: Name
    shares: Annotated[tuple[ShareLine, ...], Length(0, limits.SHARES_MAX)]
