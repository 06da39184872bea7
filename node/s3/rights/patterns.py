"""Patterns of bucket policies: `*` stands for any letters, `?` for one. Pure."""

from __future__ import annotations

import re
from functools import lru_cache


def fits(pattern: str, text: str) -> bool:
    """`*` stands for any letters, `?` for one.

    What stands between the stars is looked for from left to right, the first place being as good as any: every
    request to the bucket pays for its policy, and so does everybody else who waits meanwhile.
    """
    first, *others = pattern.split("*")
    if not others:
        return len(first) == len(text) and _found(first, text, 0, len(text)) == 0
    *between, last = others
    place, end = len(first), len(text) - len(last)
    if place > end or _found(first, text, 0, place) != 0 or _found(last, text, end, len(text)) != end:
        return False
    for piece in between:
        at = _found(piece, text, place, end)
        if at < 0:
            return False
        place = at + len(piece)
    return True


def _found(piece: str, text: str, place: int, end: int) -> int:
    """Where the piece is in this stretch of the text, or -1."""
    if "?" not in piece:
        return text.find(piece, place, end)
    found = _letters(piece).search(text, place, end)
    return -1 if found is None else found.start()


@lru_cache(maxsize=256)
def _letters(piece: str) -> re.Pattern[str]:
    return re.compile(".".join(map(re.escape, piece.split("?"))), re.DOTALL)
