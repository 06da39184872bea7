"""What nodes say in their logs, as events of the run: with virtual time, and whose words they are.

Structlog is the process's, so it is set up once; which run is meant, and which node speaks, stands in the context
that every task inherits.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, NoReturn

import structlog

from protocol.ids import ID_BYTES, short_text_of
from sim.host.trace import Detail, Trace
from sim.host.world import speaking

# Each probe of a node that is away; what its members make of that is an event of its own (`member`).
TOO_OFTEN: Final = ("probe-unanswered",)

_trace: ContextVar[Trace | None] = ContextVar("trace", default=None)


@contextmanager
def heard(trace: Trace, level: str = "debug") -> Iterator[None]:
    """Inside, whatever a node says goes to the trace: also, unless told otherwise, what becomes of each share."""
    structlog.configure(
        processors=[structlog.processors.format_exc_info, _record],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.ReturnLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    token = _trace.set(trace)
    try:
        yield
    finally:
        _trace.reset(token)
        structlog.reset_defaults()


def _record(_logger: object, method: str, said: MutableMapping[str, Any]) -> NoReturn:
    trace = _trace.get()
    if trace is not None:
        event = said.pop("event")
        if event in TOO_OFTEN:
            trace.touch("said", speaking.get(), event)
            raise structlog.DropEvent
        details = {name: _plain(value) for name, value in sorted(said.items()) if name not in ("node", "event")}
        if "node" in said:
            details["about"] = _plain(said["node"])
        trace.record("said", node=speaking.get(), level=method, what=str(event), **details)
    raise structlog.DropEvent


def _plain(value: Any) -> Detail:
    if isinstance(value, bytes):
        return short_text_of(value) if len(value) == ID_BYTES else value.hex()
    if isinstance(value, bool | int | float | str) or value is None:
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return sorted(str(_plain(each)) for each in value)
    return str(value)
