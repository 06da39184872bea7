"""Data classes: where a block may live, in how many shares, and how many of them one failure may take.

A class either fixes its code or leaves it to the preset for the federation's size, so that a federation of two
works on its first evening and grows into a wider code without anyone choosing. Caps left open mean "spread as
evenly as the members allow"; the law that every holder enforces is then the weakest sound one, n-k.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from protocol.errors import Malformed, Refused
from protocol.limits import CLASS_NAME_BYTES_MAX, NAME_BYTES_MAX, SHARES_MAX
from protocol.wire.schema import Length, Range

Name = Annotated[str, Length(1, NAME_BYTES_MAX)]
# As long as a header has room for: a class that can be voted in can also be written.
ClassName = Annotated[str, Length(1, CLASS_NAME_BYTES_MAX)]
Names = Annotated[tuple[Name, ...], Length(0, 64)]
Cap = Annotated[int, Range(1, SHARES_MAX)]


@dataclass(frozen=True, slots=True)
class Code:
    """k of n shares rebuild a block; a write is answered at k + margin of them (decision 2)."""

    k: Annotated[int, Range(1, SHARES_MAX)]
    n: Annotated[int, Range(2, SHARES_MAX)]
    margin: Annotated[int, Range(0, SHARES_MAX)]

    def __post_init__(self) -> None:
        if not 1 <= self.k < self.n <= SHARES_MAX or not 0 <= self.margin <= self.n - self.k:
            raise Malformed("code-impossible", k=self.k, n=self.n, margin=self.margin)

    @property
    def spare(self) -> int:
        """How many shares may be lost."""
        return self.n - self.k

    @property
    def least(self) -> int:
        """How many durable shares make a write acknowledgeable."""
        return self.k + self.margin

    def __str__(self) -> str:
        return f"{self.k}-of-{self.n}"


@dataclass(frozen=True, slots=True)
class DataClass:
    """The rules of one kind of data. Empty lists of places admit every place; `code` None follows the preset."""

    WIRE_VERSION: ClassVar[int] = 1
    name: ClassName
    code: Code | None = None
    per_organisation: Cap | None = None
    per_zone: Cap | None = None
    per_jurisdiction: Cap | None = None
    jurisdictions: Names = ()
    legal_forms: Names = ()
    certifications: Names = ()
    keep_s: int = 0

    @property
    def restricted(self) -> bool:
        """Whether only members with certain admitted facts may hold it."""
        return bool(self.jurisdictions or self.legal_forms or self.certifications)


@dataclass(frozen=True, slots=True)
class Caps:
    """The most shares of one block in one organisation, zone and jurisdiction (None: any number)."""

    organisation: int
    zone: int
    jurisdiction: int | None


def lawful_caps(data_class: DataClass, code: Code) -> Caps:
    """The caps that every holder enforces: what the class says, and never more than the code can lose.

    A jurisdiction is capped only when the class asks: most federations live in one country.
    """
    return Caps(
        organisation=min(data_class.per_organisation or code.spare, code.spare),
        zone=min(data_class.per_zone or code.spare, code.spare),
        jurisdiction=None if data_class.per_jurisdiction is None else min(data_class.per_jurisdiction, code.spare),
    )


_PRESETS: tuple[tuple[int, Code], ...] = (
    (2, Code(1, 2, 1)),
    (3, Code(1, 3, 1)),
    (4, Code(2, 4, 1)),
    (5, Code(2, 5, 1)),
    (6, Code(3, 6, 1)),
    (7, Code(4, 7, 1)),
    (9, Code(5, 9, 1)),
    (12, Code(8, 12, 1)),
    (14, Code(10, 14, 1)),
)


def preset_code(organisations: int) -> Code:
    """The code for a federation of this many organisations, one share in each.

    Raises:
        Refused: `federation-too-small` below two: there is nobody to keep anything.
    """
    chosen = [code for least, code in _PRESETS if organisations >= least]
    if not chosen:
        raise Refused("federation-too-small", organisations=organisations, needed=_PRESETS[0][0])
    return chosen[-1]


def code_of(data_class: DataClass, organisations: int) -> Code:
    """The class's own code, or the preset for this many organisations."""
    return data_class.code if data_class.code is not None else preset_code(organisations)


_EUROPEAN_ECONOMIC_AREA = tuple(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK".split()
)


def standard_classes() -> tuple[DataClass, ...]:
    """What a new federation's charter offers until its members decide otherwise."""
    return (
        DataClass("public"),
        DataClass("internal"),
        DataClass("personal", jurisdictions=_EUROPEAN_ECONOMIC_AREA),
        DataClass("health", jurisdictions=("FR",), certifications=("HDS",)),
        DataClass("archive", jurisdictions=_EUROPEAN_ECONOMIC_AREA, keep_s=10 * 365 * 86_400),
    )
