"""What a browser form may upload: a policy that the bucket's owner signed, and the form that must fit it. Pure.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html. Every field of the form must be
named by a condition of the policy, so that whoever fills it in can do nothing that was not foreseen.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass

from node.s3.texts import faults
from node.s3.texts.faults import S3Error
from node.s3.texts.times import parse_iso_date

_FREE = ("x-amz-signature", "file", "policy")
_IGNORED = "x-ignore-"


@dataclass(frozen=True, slots=True)
class PostPolicy:
    """`exact` and `beginning`: the texts that fields must be, or begin with. Sizes in bytes; `most` None: any."""

    expires_s: int
    exact: tuple[tuple[str, str], ...]
    beginning: tuple[tuple[str, str], ...]
    least: int = 0
    most: int | None = None

    def check(self, fields: Mapping[str, str], now_s: int) -> None:
        """Raises S3Error(AccessDenied), naming what does not fit."""
        if now_s > self.expires_s:
            raise _denied("Policy expired.")
        for name, text in self.exact:
            if fields.get(name, "") != text:
                raise _denied(f'Policy Condition failed: ["eq", "${name}", "{text}"]')
        for name, text in self.beginning:
            value = fields.get(name, "")
            parts = value.split(",") if name == "content-type" else [value]
            if not all(part.startswith(text) for part in parts):
                raise _denied(f'Policy Condition failed: ["starts-with", "${name}", "{text}"]')
        named = {name for name, _text in (*self.exact, *self.beginning)}
        extra = sorted(
            name for name in fields if name not in named and name not in _FREE and not name.startswith(_IGNORED)
        )
        if extra:
            raise _denied(f"Extra input fields: {', '.join(extra)}"[:200])

    def check_size(self, size_bytes: int) -> None:
        """Raises S3Error(EntityTooSmall, EntityTooLarge)."""
        if size_bytes < self.least:
            raise S3Error(faults.ENTITY_TOO_SMALL)
        if self.most is not None and size_bytes > self.most:
            raise S3Error(faults.ENTITY_TOO_LARGE)


def parse_post_policy(encoded: str) -> PostPolicy:
    """The policy of a form.

    Raises:
        S3Error: InvalidPolicyDocument.
    """
    try:
        told = json.loads(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise _invalid("Invalid Policy: Invalid JSON.") from None
    if not isinstance(told, dict) or not isinstance(told.get("conditions"), list):
        raise _invalid("Invalid Policy: conditions are missing.")
    expires_s = parse_iso_date(str(told.get("expiration", "")))
    if expires_s is None:
        raise _invalid("Invalid Policy: expiration is missing.")
    exact: list[tuple[str, str]] = []
    beginning: list[tuple[str, str]] = []
    least, most = 0, None
    for condition in told["conditions"]:
        if isinstance(condition, dict):
            exact += [(str(name).lower(), str(text)) for name, text in condition.items()]
            continue
        if not isinstance(condition, list) or len(condition) != 3:
            raise _invalid("Invalid Policy: Invalid condition.")
        kind, first, second = condition
        if kind == "content-length-range":
            least, most = _size(first), _size(second)
        elif kind in ("eq", "starts-with") and isinstance(first, str) and first.startswith("$"):
            (exact if kind == "eq" else beginning).append((first[1:].lower(), str(second)))
        else:
            raise _invalid("Invalid Policy: Invalid condition.")
    return PostPolicy(expires_s, tuple(exact), tuple(beginning), least, most)


def _size(told: object) -> int:
    text = str(told)
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise _invalid("Invalid Policy: Invalid content-length-range.")
    return int(text)


def _denied(why: str) -> S3Error:
    return S3Error(faults.ACCESS_DENIED, f"Invalid according to Policy: {why}")


def _invalid(why: str) -> S3Error:
    return S3Error(faults.INVALID_POLICY_DOCUMENT, why)
