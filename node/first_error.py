"""One error out of a nursery.

trio groups what its tasks raise, because several may fail at once. A caller that asked for one thing wants one
reason: here the first named error of the group is raised in its place. A group that holds anything unnamed (a bug,
an interrupt) goes on as it is: such errors must never be tidied away.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from protocol.errors import MaillonError


@contextmanager
def first_error() -> Iterator[None]:
    """Raise the first MaillonError of a group of nothing but MaillonErrors and cancellations."""
    try:
        yield
    except BaseExceptionGroup as group:
        _cancelled, others = group.split(trio.Cancelled)
        named = [error for error in _leaves(others) if isinstance(error, MaillonError)]
        if not named or len(named) != len(list(_leaves(others))):
            raise
        raise named[0] from None


def _leaves(group: BaseExceptionGroup[BaseException] | None) -> Iterator[BaseException]:
    for error in group.exceptions if group is not None else ():
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
