"""Numbers that clients write: digits, and few enough of them to count with. Pure.

Python refuses to read a number of thousands of digits, and reads those of other alphabets. A client's number is
neither: what is longer than any size that there can be is no number.
"""

from __future__ import annotations

_DIGITS_MAX = 18
NO_NUMBER = -1


def read_count(text: str) -> int:
    """The number, or `NO_NUMBER`."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX else NO_NUMBER
