"""Bucket policies: the part of Amazon's language that making a bucket public, or sharing it, needs. Pure.

A statement allows or denies principals some actions on some resources. Principals are everybody (`*`), a namespace
(`arn:aws:iam::NAMESPACE:root`, by its id or, where one gateway has both, by its name) or one key of it
(`arn:aws:iam::NAMESPACE:user/ACCESS_KEY_ID`). What a reader of the
policy could misunderstand is not accepted at all: unknown conditions (`policy_conditions`), the `Not…` words and
principals of other kinds are refused with `NotImplemented`. Deny wins over Allow, and silence is no.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache

from node.s3.rights.patterns import fits
from node.s3.rights.policy_conditions import Circumstances, Condition, malformed_policy, read_conditions, texts_of
from node.s3.texts import faults

_VERSIONS = ("2012-10-17", "2008-10-17")
_STATEMENT = ("Sid", "Effect", "Principal", "Action", "Resource", "Condition")
_NOT_SERVED = ("NotPrincipal", "NotAction", "NotResource")
_RESOURCE = "arn:aws:s3:::"
_PRINCIPAL = re.compile(r"arn:aws:iam::([^:]+):(?:root|user/([A-Za-z0-9]+))")
EVERYBODY = "*"


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for what. `namespaces` are the names by which the asker's namespace is known; empty: anonymous."""

    namespaces: tuple[str, ...]
    key_id: str
    action: str
    resource: str
    circumstances: Circumstances


@dataclass(frozen=True, slots=True)
class Principal:
    """Everybody, a namespace, or one of its keys."""

    namespace: str
    key_id: str = ""

    def covers(self, asker: Asker) -> bool:
        """Whether the asker is meant."""
        if self.namespace == EVERYBODY:
            return True
        return self.namespace in asker.namespaces and self.key_id in ("", asker.key_id)


@dataclass(frozen=True, slots=True)
class Statement:
    """One rule, which applies where all its conditions hold."""

    allows: bool
    principals: tuple[Principal, ...]
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[Condition, ...]

    def applies(self, asker: Asker) -> bool:
        """Whether it speaks about this."""
        return (
            any(fits(action.lower(), asker.action.lower()) for action in self.actions)
            and any(fits(resource, asker.resource) for resource in self.resources)
            and any(principal.covers(asker) for principal in self.principals)
            and all(condition.holds(asker.circumstances) for condition in self.conditions)
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """A bucket's policy."""

    statements: tuple[Statement, ...]

    def verdict(self, asker: Asker) -> bool | None:
        """True: allowed; False: denied; None: it says nothing."""
        applying = [statement.allows for statement in self.statements if statement.applies(asker)]
        return all(applying) if applying else None

    @property
    def is_public(self) -> bool:
        """Whether everybody is allowed anything, wherever he is."""
        return any(
            statement.allows
            and any(one.namespace == EVERYBODY for one in statement.principals)
            and not any(condition.narrows for condition in statement.conditions)
            for statement in self.statements
        )


@lru_cache(maxsize=256)
def parse_policy(document: bytes, bucket: str) -> Policy:
    """The policy that a client wrote for this bucket.

    Raises:
        S3Error: MalformedPolicy; NotImplemented for what is not served.
    """
    try:
        told = json.loads(document, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        raise malformed_policy("Policies must be valid JSON and the first byte must be '{'") from None
    if not isinstance(told, dict) or told.keys() - {"Version", "Id", "Statement"}:
        raise malformed_policy("A policy has a Version, an Id and Statements.")
    if told.get("Version", _VERSIONS[1]) not in _VERSIONS:
        raise malformed_policy("The policy must contain a valid version string")
    statements = told.get("Statement")
    listed = statements if isinstance(statements, list) else [statements]
    if not listed:
        raise malformed_policy("Could not parse the policy: Statement is empty!")
    return Policy(tuple(_statement(one, bucket) for one in listed))


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object. Of two fields of one name a reader sees the first, and Python takes the last."""
    told = dict(pairs)
    if len(told) != len(pairs):
        raise malformed_policy("A field stands twice in the policy.")
    return told


def _statement(told: object, bucket: str) -> Statement:
    if not isinstance(told, dict):
        raise malformed_policy("A statement is a JSON object.")
    for name in told:
        if name in _NOT_SERVED:
            raise faults.not_served(f"{name} in a bucket policy")
        if name not in _STATEMENT:
            raise malformed_policy(f"Unknown field {name!s}"[:200])
    if told.get("Effect") not in ("Allow", "Deny"):
        raise malformed_policy("Effect must be Allow or Deny")
    actions, resources = texts_of(told.get("Action")), texts_of(told.get("Resource"))
    if any(not action.startswith("s3:") and action != "*" for action in actions):
        raise malformed_policy("Policy has invalid action")
    for resource in resources:
        if not _fits_bucket(resource, bucket):
            raise malformed_policy("Policy has invalid resource")
    return Statement(
        allows=told["Effect"] == "Allow",
        principals=_principals(told.get("Principal")),
        actions=actions,
        resources=tuple(resource.removeprefix(_RESOURCE) for resource in resources),
        conditions=read_conditions(told.get("Condition")),
    )


def _fits_bucket(resource: str, bucket: str) -> bool:
    return resource.startswith(_RESOURCE) and resource.removeprefix(_RESOURCE).partition("/")[0] == bucket


def _principals(told: object) -> tuple[Principal, ...]:
    if told == EVERYBODY:
        return (Principal(EVERYBODY),)
    if not isinstance(told, dict) or not told:
        raise malformed_policy("Invalid principal in policy")
    if told.keys() != {"AWS"}:
        raise faults.not_served(f"principals of the kinds {', '.join(sorted(told))}"[:200])
    return tuple(_principal(one) for one in texts_of(told["AWS"]))


def _principal(text: str) -> Principal:
    if text == EVERYBODY:
        return Principal(EVERYBODY)
    found = _PRINCIPAL.fullmatch(text)
    if found is None:
        raise malformed_policy("Invalid principal in policy")
    return Principal(found[1], found[2] or "")


def resource_of(bucket: str, key: str) -> str:
    """How a policy names a bucket, or an object in it."""
    return f"{bucket}/{key}" if key else bucket
