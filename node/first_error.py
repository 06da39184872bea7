"""One error out of a nursery.

trio groups what its tasks raise, because several may fail at once. A caller that asked for one thing wants one
reason: here the first named error of the group is raised in its place. A group that holds anything unnamed (a bug,
an interrupt) goes on as it is: such errors must never be tidied away.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

import trio

from protocol.errors import MaillonError


def first_error() -> AbstractContextManager[None]:
    """Raise the first MaillonError of a group of nothing but MaillonErrors and cancellations."""
    return _FIRST


class _First(AbstractContextManager[None]):
    """Has no state, so one serves everybody; as a generator it would cost each request a microsecond or three."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if not isinstance(error, BaseExceptionGroup):
            return
        _cancelled, others = error.split(trio.Cancelled)
        named = [one for one in _leaves(others) if isinstance(one, MaillonError)]
        if named and len(named) == len(list(_leaves(others))):
            raise named[0] from None


_FIRST = _First()


def _leaves(group: BaseExceptionGroup[BaseException] | None) -> Iterator[BaseException]:
    for error in group.exceptions if group is not None else ():
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
