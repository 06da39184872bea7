"""What may be done to an object, by what is there and what was said of it. Pure.

A legal hold and a retention in compliance mode bind everybody; one in governance mode binds those who do not say that
they bypass it, and whoever may say so is for the S3 surface to judge. A lock may always become stronger.
"""

from __future__ import annotations

from node.vault.catalog.values import StoredBucket, StoredObject
from node.vault.shelf.terms import Condition, PutTerms
from protocol.errors import Missing, Refused
from protocol.namespace.contents import LockMode, Retention
from protocol.namespace.lifecycle import DAY_S

_ANY = "*"


def check_condition(condition: Condition, found: StoredObject | None, bucket: str, key: str) -> None:
    """Return if the condition holds for what the key names.

    Raises:
        Refused: `object-condition`. Missing: `object-missing`, when an etag was asked for and there is no object.
    """
    if condition.if_match:
        if found is None:
            raise Missing("object-missing", bucket=bucket, key=key)
        if _ANY not in condition.if_match and found.etag not in condition.if_match:
            raise Refused("object-condition", bucket=bucket, key=key)
    if found is not None and (_ANY in condition.if_none_match or found.etag in condition.if_none_match):
        raise Refused("object-condition", bucket=bucket, key=key)


def retention_for(bucket: StoredBucket, terms: PutTerms, now_s: int) -> Retention | None:
    """The retention of what is put now. Raises Refused(`bucket-not-locked`)."""
    if bucket.has_lock:
        default = bucket.lock_default
        if terms.retention is None and default is not None:
            return Retention(default.mode, now_s + default.days * DAY_S)
    elif terms.retention is not None or terms.legal_hold:
        raise Refused("bucket-not-locked", bucket=bucket.bucket)
    return terms.retention


def check_deletion(found: StoredObject, now_s: int, *, bypass_governance: bool) -> None:
    """Return if this version may be deleted. Raises Refused(`object-locked`)."""
    held = found.retention
    is_held = held is not None and held.until_s > now_s
    may_bypass = held is not None and held.mode is LockMode.GOVERNANCE and bypass_governance
    if found.legal_hold or (is_held and not may_bypass):
        raise _locked(found)


def check_retention(found: StoredObject, after: Retention | None, now_s: int, *, bypass_governance: bool) -> None:
    """Return if the version's retention may become `after`. Raises Refused(`object-locked`)."""
    held = found.retention
    if held is None or held.until_s <= now_s:
        return
    is_stronger = after is not None and after.until_s >= held.until_s and after.mode >= held.mode
    may_bypass = held.mode is LockMode.GOVERNANCE and bypass_governance
    if not is_stronger and not may_bypass:
        raise _locked(found)


def _locked(found: StoredObject) -> Refused:
    until_s = found.retention.until_s if found.retention is not None else 0
    return Refused("object-locked", bucket=found.bucket, key=found.key, until_s=until_s)
