"""Taking a semaphore that is free, without the scheduling round that `async with` costs.

A turn of trio's scheduler costs as much as dozens of calls, and most semaphores here are free nearly always. Whoever
takes them so gets no checkpoint where nobody has to wait: the work behind them must have one. A semaphore of one is
the lock for this: `trio.Lock` also notes who has it, which costs more than all else.
"""

from __future__ import annotations

import trio


async def take_turn(turn: trio.Semaphore) -> None:
    """Acquire it, and wait only where one must."""
    try:
        turn.acquire_nowait()
    except trio.WouldBlock:
        await turn.acquire()
