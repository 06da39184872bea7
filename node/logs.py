"""What the node says about its doings: structlog on standard error, for people or one JSON document per line.

A line that cannot be written (the disk of the log is full, its reader gone) is lost; what the node does goes on.
Events are short names with key=value beside them; keys and secrets never appear, because nothing that holds one
shows itself (`protocol.keys`, `node.vault.secrets`).

structlog brings a whole library of coloured tracebacks, which takes longer to import than a short command takes to
run. So every module asks here for its logger, and structlog is imported when a process configures it (a node does,
at its start) or says its first word (a command of the command line hardly ever does).
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO, cast

from protocol.ids import ID_BYTES, short_text_of

if TYPE_CHECKING:
    from node.config import LogSection


class Logger:
    """The logger of one module: structlog's own, fetched at the first event and when logging was set up anew."""

    __slots__ = ("_found", "_name", "_processors")

    def __init__(self, name: str) -> None:
        self._name = name
        self._found: Any = None
        self._processors: object = None

    def debug(self, event: str, **details: object) -> None:
        """For who looks into the node itself."""
        self._logger().debug(event, **details)

    def info(self, event: str, **details: object) -> None:
        """The ordinary course of things."""
        self._logger().info(event, **details)

    def warning(self, event: str, **details: object) -> None:
        """Something is not as it should be; the node goes on."""
        self._logger().warning(event, **details)

    def error(self, event: str, **details: object) -> None:
        """Something failed that somebody should look at."""
        self._logger().error(event, **details)

    def exception(self, event: str, **details: object) -> None:
        """As `error`, with the traceback of the exception that is being handled."""
        self._logger().exception(event, **details)

    def _logger(self) -> Any:
        import structlog

        processors = structlog.get_config()["processors"]
        if processors is self._processors:
            return self._found
        if not structlog.is_configured():  # then it writes to what standard output is at this moment
            return structlog.get_logger(self._name)
        self._found, self._processors = structlog.get_logger(self._name).bind(), processors
        return self._found


def get_logger(name: str) -> Logger:
    """The logger of the module `name`."""
    return Logger(name)


def configure(section: LogSection) -> None:
    """Set up logging for the whole process, before anything runs.

    A logger remembers how it was set up until that changes: a simulated run in the same process hears its nodes.
    """
    import structlog

    least: int = logging.getLevelNamesMapping()[section.level.upper()]
    is_json = section.format != "text"
    processors: list[Any] = []
    if is_json or sys.stderr.isatty():
        processors = [
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _readable,
            structlog.processors.JSONRenderer() if is_json else structlog.dev.ConsoleRenderer(colors=True),
        ]
        wrapper: type[Any] = structlog.make_filtering_bound_logger(least)
    else:
        wrapper = _lines(least)
    structlog.configure(
        processors=processors,
        wrapper_class=wrapper,
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, _Patient(sys.stderr))),
        cache_logger_on_first_use=False,
    )


class _Patient:
    """Standard error, whose failing costs lines only. How many are missing is told once it takes some again."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._lost = 0

    def write(self, line: str) -> None:
        """Write a line, whole or not at all as far as this process can tell."""
        try:
            if self._lost:
                self._file.write(_line("warning", "log-lines-lost", {"lines": self._lost}) + "\n")
                self._file.flush()
                self._lost = 0
            self._file.write(line)
            self._file.flush()
        except OSError:
            self._lost += 1

    def flush(self) -> None:
        """Every line was flushed when it was written."""


def _lines(least: int) -> type[Any]:
    """structlog's logger for plain lines, without processors: a busy door has a line for each request, and a chain of
    them would cost more than the line.
    """
    import structlog

    def saying(method: str, level: int) -> Callable[..., None]:
        def say(lines: Any, event: str, /, **details: object) -> None:
            lines._logger.msg(_line(method, event, details))

        return say if level >= least else _unheard

    def exception(lines: Any, event: str, /, **details: object) -> None:
        lines._logger.msg(f"{_line('error', event, details)}\n{traceback.format_exc().rstrip()}")

    names = logging.getLevelNamesMapping()
    said = {method: saying(method, names[method.upper()]) for method in ("debug", "info", "warning", "error")}
    return type("Lines", (structlog.BoundLoggerBase,), {**said, "exception": exception})


def _unheard(_lines: object, _event: str, /, **_details: object) -> None:
    """Below the level that is wanted."""


def _readable(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Ids by their first letters, other bytes in hexadecimal, as people read them elsewhere."""
    for name, value in event.items():
        event[name] = _readable_value(value)
    return event


def _readable_value(value: object) -> object:
    if isinstance(value, bytes):
        return _shown(value)
    if isinstance(value, list):
        return [_shown(item) if isinstance(item, bytes) else item for item in value]
    return value


def _line(method: str, event: str, details: Mapping[str, object]) -> str:
    """What the console shows, without colours and in a third of the time."""
    ordered = sorted(details.items())
    told = " ".join([f"{key}={value if type(value) is int else _told(value)}" for key, value in ordered])
    stamp = datetime.now(UTC).isoformat(timespec="microseconds")[: -len("+00:00")]
    return f"{stamp}Z [{method:<9}] {event:<30} {told}"


def _told(value: object) -> str:
    """Text as it is where nobody can mistake where it ends, quoted where they could."""
    if type(value) is str:
        is_plain = value and " " not in value and "=" not in value and value.isprintable()
        return value if is_plain else repr(value)
    return _shown(value) if isinstance(value, bytes) else repr(_readable_value(value))


def _shown(value: bytes) -> str:
    return short_text_of(value) if len(value) == ID_BYTES else value.hex()
