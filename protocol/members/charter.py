"""The founding charter: what a federation is before anyone says anything.

It is self-contained: it shows its founder's lineage and facts, the data classes and the rule of decision, and its
hash is the federation's id, so whoever has the id can check a charter found anywhere. It never changes; everything
that does is a decision (`protocol.members.governance`).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from protocol.errors import Forged, Malformed
from protocol.ids import FederationId
from protocol.keys.derive import digest
from protocol.keys.signing import SigningKey
from protocol.limits import CAPACITY_BYTES_MAX, CLASSES_MAX, NAME_BYTES_MAX, ORGANISATIONS_ADMITTED_MAX
from protocol.members.lineage import Lineage, check_lineage
from protocol.members.records import Record, RecordKind, expect, sign_record
from protocol.placement.classes import DataClass
from protocol.wire import schema
from protocol.wire.schema import Length, Range

FOUNDER_ALONE_UP_TO: Final = 3

_CHARTER_CONTEXT: Final = "maillon 2026 federation id 1"

Name = Annotated[str, Length(1, NAME_BYTES_MAX)]


class Quorum(enum.IntEnum):
    """How many of an electorate decide. Each is more than half, so two quorums always share a member."""

    MAJORITY = 1
    TWO_THIRDS = 2

    def of(self, electorate: int) -> int:
        """The number of ballots needed."""
        return electorate // 2 + 1 if self is Quorum.MAJORITY else 2 * electorate // 3 + 1


class Admissions(enum.IntEnum):
    """Who may join. By default any organisation that a member vouches for may try; decisions do the rest."""

    SPONSORED = 1
    CLOSED = 2


@dataclass(frozen=True, slots=True)
class Standing:
    """An organisation's facts as the members admitted them, and the most capacity they credit it with."""

    jurisdiction: Annotated[str, Length(1, 16)]
    legal_form: Annotated[str, Length(1, 64)]
    certifications: Annotated[tuple[Annotated[str, Length(1, 64)], ...], Length(0, 16)]
    capacity_ceiling_bytes: Annotated[int, Range(0, CAPACITY_BYTES_MAX)]

    def __post_init__(self) -> None:
        if tuple(sorted(set(self.certifications))) != self.certifications:
            raise Malformed("standing-certifications")


@dataclass(frozen=True, slots=True)
class Charter:
    """Up to `founder_alone_up_to` organisations, the founder's ballot alone is the quorum."""

    WIRE_VERSION: ClassVar[int] = 1
    name: Name
    founder: Lineage
    founder_standing: Standing
    founded_s: int
    admissions: Admissions
    quorum: Quorum
    founder_alone_up_to: Annotated[int, Range(0, ORGANISATIONS_ADMITTED_MAX)]
    classes: Annotated[tuple[DataClass, ...], Length(1, CLASSES_MAX)]

    def __post_init__(self) -> None:
        names = [data_class.name for data_class in self.classes]
        if len(set(names)) != len(names):
            raise Malformed("charter-classes")


def federation_of(charter: Charter) -> FederationId:
    """The federation's id."""
    return FederationId(digest(_CHARTER_CONTEXT, schema.encode(charter)))


def make_charter(key: SigningKey, charter: Charter) -> tuple[FederationId, Record]:
    """Found a federation: its id, and the record that the founder's first key signed."""
    federation = federation_of(charter)
    body = schema.encode(charter)
    signed = sign_record(key, federation, RecordKind.CHARTER, 1, federation, body)
    read_charter(signed)
    return federation, signed


def read_charter(record: Record) -> Charter:
    """The charter of a record whose signature was checked.

    Raises:
        Forged: `charter` when it is not the founding charter of the federation it names, or not its founder's.
    """
    expect(record, RecordKind.CHARTER)
    charter = schema.decode(Charter, record.body)
    if federation_of(charter) != record.federation or record.subject != record.federation or record.counter != 1:
        raise Forged("charter", federation=record.federation)
    check_lineage(charter.founder, charter.founder.organisation, record.author)
    return charter
