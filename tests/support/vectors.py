"""Byte vectors: tests/vectors/<area>.json, bytes written in hexadecimal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "vectors"


def load_vectors(area: str) -> Any:
    """The vectors of one area, as JSON holds them."""
    return json.loads((FOLDER / f"{area}.json").read_text("utf-8"))
