"""The families of errors, by whom or what they blame."""

from __future__ import annotations

from protocol.errors import Damaged, Forged, MaillonError, Malformed, Missing, OverLimit, Refused, Unavailable

FAMILIES: dict[str, type[MaillonError]] = {
    family.blame: family for family in (Malformed, Forged, OverLimit, Refused, Unavailable, Missing, Damaged)
}
