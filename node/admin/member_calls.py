"""What the owner asks about members: who they are, whom to invite, and what to decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from node.admin.calls import Command, Done, Lines, Name, Nothing, Page, Text
from node.admin.lines import NodeLine, OrganisationLine, ProposalLine
from protocol.wire.schema import Length, Range


@dataclass(frozen=True, slots=True)
class OrganisationPage:
    WIRE_VERSION: ClassVar[int] = 1
    lines: Annotated[tuple[OrganisationLine, ...], Lines]
    total: int


@dataclass(frozen=True, slots=True)
class NodePage:
    WIRE_VERSION: ClassVar[int] = 1
    lines: Annotated[tuple[NodeLine, ...], Lines]
    total: int


@dataclass(frozen=True, slots=True)
class ProposalPage:
    WIRE_VERSION: ClassVar[int] = 1
    lines: Annotated[tuple[ProposalLine, ...], Lines]
    total: int


@dataclass(frozen=True, slots=True)
class Invite:
    """Make an invitation that can be used once, within so many seconds."""

    WIRE_VERSION: ClassVar[int] = 1
    valid_s: Annotated[int, Range(1, 366 * 86_400)]


@dataclass(frozen=True, slots=True)
class Invited:
    WIRE_VERSION: ClassVar[int] = 1
    token: Text
    expires_s: int


@dataclass(frozen=True, slots=True)
class Admit:
    """Vote that an organisation be admitted, with these facts; proposes it when nobody has yet.

    Facts left empty (or 0) are those that the organisation states of itself.
    """

    WIRE_VERSION: ClassVar[int] = 1
    organisation: Name
    jurisdiction: Name
    legal_form: Name
    certifications: Annotated[tuple[Name, ...], Length(0, 32)]
    capacity_bytes: int


@dataclass(frozen=True, slots=True)
class Expel:
    """Vote that an organisation or a node be expelled; proposes it when nobody has yet."""

    WIRE_VERSION: ClassVar[int] = 1
    subject: Name


ORGANISATIONS = Command("organisations", Page, OrganisationPage)
NODES = Command("nodes", Page, NodePage)
PROPOSALS = Command("proposals", Page, ProposalPage)
INVITE = Command("invite", Invite, Invited)
ADMIT = Command("admit", Admit, ProposalLine)
EXPEL = Command("expel", Expel, ProposalLine)
LEAVE = Command("leave", Nothing, Done)
