"""What the node says about its doings: structlog on standard error, for people or one JSON document per line.

Events are short names with key=value beside them; keys and secrets never appear, because nothing that holds one
shows itself (`protocol.keys`, `node.vault.secrets`).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from node.config import LogSection
from protocol.ids import ID_BYTES, short_text_of


def configure(section: LogSection) -> None:
    """Set up logging for the whole process, once, before anything runs."""
    shown: Any = structlog.processors.JSONRenderer()
    if section.format == "text":
        shown = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    level: int = logging.getLevelNamesMapping()[section.level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _readable,
            shown,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _readable(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Ids by their first letters, other bytes in hexadecimal, as people read them elsewhere."""
    for name, value in event.items():
        if isinstance(value, bytes):
            event[name] = short_text_of(value) if len(value) == ID_BYTES else value.hex()
    return event
