"""Numbers as people read them: sizes in powers of ten as disks are sold, durations, and parameters of errors.

Parsing and showing live side by side so that what is shown can be typed back.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from protocol.errors import Parameter
from protocol.ids import ID_BYTES, short_text_of

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "p": 10**15}
_BINARY = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40, "pi": 2**50}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgtp]?i?)(?:b|o)?\s*", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Bytes of "100 GB", "1.5TiB" or "4096". Raises ValueError for anything else."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError(text)
    unit = found[2].lower()
    factor = _UNITS.get(unit) or _BINARY.get(unit)
    if factor is None:
        raise ValueError(text)
    return int(float(found[1]) * factor) if "." in found[1] else int(found[1]) * factor


def show_size(size_bytes: int) -> str:
    """Three digits and a unit: "512 B", "1.50 GB"."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 999.5 or unit == "TB":
            break
        size /= 1000
    if unit == "B":
        return f"{size_bytes} B"
    digits = 2 if size < 9.995 else 1 if size < 99.95 else 0
    return f"{size:.{digits}f} {unit}"


def show_duration(seconds: float) -> str:
    """ "0.8 s", "42 s", "3 min 05 s", "2 h 10 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def show_parameter(name: str, value: Parameter) -> str:
    """One parameter of an error: ids by their first letters, sizes with units, lists with commas."""
    if isinstance(value, bytes):
        return short_text_of(value) if len(value) == ID_BYTES else value.hex()[:20]
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value) or "-"
    if isinstance(value, int) and name.endswith("_bytes"):
        return show_size(value)
    return str(value)


def show_time(moment_s: int) -> str:
    """A moment in the reader's own time zone, to the second."""
    return datetime.fromtimestamp(moment_s, tz=UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def show_date(moment_s: int) -> str:
    """The day on this machine's clock, as in `2026-05-01`."""
    return show_time(moment_s).partition(" ")[0]
