"""Conditions of bucket policies: what must be so for a statement to apply. Pure.

Those are known that sharing needs: a safe connection, the address that the request comes from, and what is listed. A
condition about something that the request does not say (a prefix, where nothing is listed) does not hold; its
negation does, as Amazon has it. Everything else is refused: who denies by a condition must not believe in vain.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from node.s3.rights.patterns import fits
from node.s3.texts import faults
from node.s3.texts.faults import S3Error

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
SECURE, SOURCE, PREFIX, DELIMITER = "aws:securetransport", "aws:sourceip", "s3:prefix", "s3:delimiter"
# Networks that are wider than this are no narrowing: Amazon calls what they may read public.
_NARROW_V4, _NARROW_V6 = 8, 32


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How a request comes, and what it lists; None where it does not say so."""

    is_secure: bool = False
    address: str | None = None
    prefix: str | None = None
    delimiter: str | None = None

    def value(self, name: str) -> str | None:
        """By the name that policies use."""
        if name == SECURE:
            return "true" if self.is_secure else "false"
        return {SOURCE: self.address, PREFIX: self.prefix, DELIMITER: self.delimiter}[name]


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that must match, or (`is_negated`) must not. `narrows`: it holds in few places of the world."""

    name: str
    matches: Callable[[str], bool]
    is_negated: bool
    narrows: bool = False

    def holds(self, circumstances: Circumstances) -> bool:
        """Whether it is so now."""
        value = circumstances.value(self.name)
        return (value is not None and self.matches(value)) is not self.is_negated


def read_conditions(told: object) -> tuple[Condition, ...]:
    """The conditions of a statement, all of which must hold.

    Raises:
        S3Error: MalformedPolicy; NotImplemented for what is not known here.
    """
    if told in (None, {}):
        return ()
    if not isinstance(told, dict) or not all(isinstance(names, dict) for names in told.values()):
        raise malformed_policy("A Condition has operators, and each of them keys and values.")
    return tuple(
        _condition(operator, name, value) for operator, names in told.items() for name, value in names.items()
    )


def _condition(operator: str, name: str, value: object) -> Condition:
    asked, is_negated = operator.replace("Not", "", 1), "Not" in operator
    match asked, name.lower():
        case "Bool", "aws:securetransport" if not is_negated:
            return Condition(SECURE, _truths(value).__contains__, is_negated)
        case "IpAddress", "aws:sourceip":
            networks = [_network(text) for text in texts_of(value)]
            return Condition(SOURCE, partial(_is_in, networks), is_negated, not is_negated and _is_narrow(networks))
        case "StringEquals", ("s3:prefix" | "s3:delimiter") as key:
            return Condition(key, frozenset(_any_texts(value)).__contains__, is_negated)
        case "StringLike", ("s3:prefix" | "s3:delimiter") as key:
            return Condition(key, partial(_is_like, _any_texts(value)), is_negated)
    raise faults.not_served(f"Condition {operator} {name} in a bucket policy"[:200])


def _truths(value: object) -> frozenset[str]:
    found = frozenset(str(one).lower() for one in (value if isinstance(value, list) else [value]))
    if not found or found - {"true", "false"}:
        raise malformed_policy("aws:SecureTransport is true or false.")
    return found


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise malformed_policy(
            "aws:SourceIp has addresses, or networks like 192.0.2.0/24 and 2001:db8::/32."
        ) from None


def _is_in(networks: Iterable[Network], address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return any((mapped or found) in network for network in networks)


def _is_narrow(networks: Iterable[Network]) -> bool:
    return all(one.prefixlen >= (_NARROW_V4 if one.version == 4 else _NARROW_V6) for one in networks)


def _is_like(patterns: Iterable[str], text: str) -> bool:
    return any(fits(pattern, text) for pattern in patterns)


def _any_texts(told: object) -> tuple[str, ...]:
    """Texts that may be empty: the prefix of a whole bucket."""
    listed = told if isinstance(told, list) else [told]
    if not listed or not all(isinstance(one, str) for one in listed):
        raise malformed_policy("A condition's values are texts or lists of texts.")
    return tuple(listed)


def texts_of(told: object) -> tuple[str, ...]:
    """A text, or a list of texts, none of them empty. Raises S3Error(MalformedPolicy)."""
    listed = told if isinstance(told, list) else [told]
    if not listed or not all(isinstance(one, str) and one for one in listed):
        raise malformed_policy("A policy's Principal, Action and Resource are texts or lists of texts.")
    return tuple(listed)


def malformed_policy(message: str) -> S3Error:
    """What is said of a policy that is none."""
    return S3Error(faults.MALFORMED_POLICY, message)
