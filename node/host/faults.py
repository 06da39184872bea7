"""Fault points of a real process, armed only by the environment variable MAILLON_FAULTS.

The variable is a comma-separated list of `POINT=ACTION[@N[+]]`: do ACTION when POINT is reached for the Nth time
(`@N`), from the Nth time on (`@N+`), or every time. Actions: `kill9` (SIGKILL to oneself: nothing is flushed, nobody
told), `stop` (SIGSTOP: alive, but silent), `error` (raise Unavailable `fault-injected`), `delay:MS`, or the name of
an errno such as `ENOSPC` or `EIO` (raise that OSError). Without the variable a point costs one empty call.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from dataclasses import dataclass
from typing import NoReturn

import trio

from node.host.ports import Faults
from node.logs import get_logger
from protocol.errors import Malformed, Unavailable

VARIABLE = "MAILLON_FAULTS"

log = get_logger(__name__)


class NoFaults:
    """The answer of every ordinary node: nothing happens here."""

    async def reach(self, point: str) -> None:
        pass

    def reach_blocking(self, point: str) -> None:
        pass


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """Do `action` at `point`, from the `first`th time until the `last`th (None: for ever)."""

    point: str
    action: str
    first: int
    last: int | None

    def is_due(self, time_reached: int) -> bool:
        return time_reached >= self.first and (self.last is None or time_reached <= self.last)

    @property
    def delay_s(self) -> float:
        return int(self.action.removeprefix("delay:")) / 1000 if self.action.startswith("delay:") else 0.0


class PlannedFaults:
    """Counts how often each point was reached and acts when a plan is due."""

    def __init__(self, plans: tuple[PlannedFault, ...]) -> None:
        self._plans = plans
        self._reached: dict[str, int] = {plan.point: 0 for plan in plans}
        self._turn = threading.Lock()

    async def reach(self, point: str) -> None:
        delay_s = self._strike(point)
        if delay_s:
            await trio.sleep(delay_s)

    def reach_blocking(self, point: str) -> None:
        delay_s = self._strike(point)
        if delay_s:
            time.sleep(delay_s)

    def _strike(self, point: str) -> float:
        """Do what is due; a delay is returned, as only the caller knows how to wait."""
        if point not in self._reached:
            return 0.0
        with self._turn:
            self._reached[point] += 1
            times = self._reached[point]
        due = [plan for plan in self._plans if plan.point == point and plan.is_due(times)]
        for plan in due:
            log.warning("fault-struck", point=point, action=plan.action, times=times)
            if not plan.delay_s:
                _do(plan)
        return sum(plan.delay_s for plan in due)


def _do(plan: PlannedFault) -> None:
    if plan.action == "kill9":
        _die()
    if plan.action == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif plan.action == "error":
        raise Unavailable("fault-injected", point=plan.point)
    else:
        code = getattr(errno, plan.action)
        raise OSError(code, os.strerror(code))


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL cannot be survived")


def parse_faults(text: str) -> tuple[PlannedFault, ...]:
    """Read the variable's list. Raises Malformed(`faults`)."""
    return tuple(_parse_one(item.strip()) for item in text.split(",") if item.strip())


def _parse_one(item: str) -> PlannedFault:
    point, equals, rest = item.partition("=")
    action, at, count = rest.partition("@")
    digits = count.removesuffix("+")
    known = (
        action in ("kill9", "stop", "error")
        or (action.startswith("delay:") and action[6:].isdigit())
        or (action.startswith("E") and hasattr(errno, action))
    )
    if not (point and equals and known) or (at and not digits.isdigit()):
        raise Malformed("faults", item=item)
    first = int(digits) if at else 1
    last = first if at and not count.endswith("+") else None
    return PlannedFault(point, action, first, last)


def faults_from_environment() -> Faults:
    text = os.environ.get(VARIABLE, "")
    if not text:
        return NoFaults()
    log.warning("faults-armed", plan=text)
    return PlannedFaults(parse_faults(text))
