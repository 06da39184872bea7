"""Nodes that live and die: one life after another of each, and what clients ask of them.

A life is `node.app.start_node` in a nursery of its own. What a client asks runs inside the life it is asked of, as
an admin request does: when the node dies in the middle, the client is told nothing (`Lost`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import trio

from node.admin.services import Services
from node.first_error import first_error
from node.host.ports import Host
from protocol.errors import MaillonError
from sim.host.world import World, speaking

R = TypeVar("R")

# No deadline inside a node is as long as this: a call that takes longer waits for something that will not happen.
ANSWER_WITHIN_S = 300.0

# Starts every part of a node in the nursery; they run when it returns.
Begin = Callable[[trio.Nursery, Host], Awaitable[Services]]


class Lost(Exception):
    """The node died before it answered its client."""


class Unanswered(Lost):
    """The node lives, and its client waited in vain."""


@dataclass(slots=True)
class Life:
    """One life of one node."""

    services: Services
    nursery: trio.Nursery
    ended: trio.Event


class Lives:
    """Who runs now, by name."""

    def __init__(self, world: World, nursery: trio.Nursery) -> None:
        self.world = world
        self.running: dict[str, Life] = {}
        self._nursery = nursery

    async def start(self, name: str, begin: Begin) -> Services:
        """Run the node in its present life.

        Raises:
            MaillonError: why it cannot start; it is then not running.
        """
        started = trio.Event()
        failure: list[MaillonError] = []

        async def live(host: Host) -> None:
            ended = trio.Event()
            try:
                with first_error():
                    async with host.lock(), trio.open_nursery() as nursery:
                        services = await begin(nursery, host)
                        self.running[name] = Life(services, nursery, ended)
                        started.set()
                        await trio.sleep_forever()
            except MaillonError as error:
                if started.is_set():
                    raise
                failure.append(error)
            finally:
                ended.set()
                started.set()

        self._nursery.start_soon(self.world.run_node, name, live)
        await started.wait()
        if failure:
            raise failure[0]
        if name not in self.running:
            raise Lost
        return self.running[name].services

    async def stop(self, name: str) -> None:
        """SIGTERM: sign off, say goodbye, end."""
        life = self.running[name]
        self.world.trace.record("node-stopped", node=name)

        async def leave(services: Services) -> None:
            await services.vault.sign_off()
            await services.mesh.goodbye()

        with trio.move_on_after(2.0):
            await self.on(name, leave)
        life.nursery.cancel_scope.cancel()
        await life.ended.wait()
        self.running.pop(name, None)

    def kill(self, name: str) -> None:
        """SIGKILL."""
        self.running.pop(name, None)
        self.world.kill(name)

    def cut_power(self, name: str) -> None:
        """What was not synced is gone, or torn, or not."""
        self.running.pop(name, None)
        self.world.cut_power(name)

    async def on(self, name: str, work: Callable[[Services], Awaitable[R]]) -> R:
        """The outcome of `work`, run in the node's life. Raises its error, Lost or Unanswered."""
        life = self.running.get(name)
        if life is None:
            raise Lost
        outcome: list[R] = []
        failure: list[MaillonError] = []
        done = trio.Event()

        async def run() -> None:
            speaking.set(name)
            try:
                outcome.append(await work(life.services))
            except MaillonError as error:
                failure.append(error)
            finally:
                done.set()

        life.nursery.start_soon(run)
        with trio.move_on_after(ANSWER_WITHIN_S):
            await done.wait()
        if not done.is_set():
            raise Unanswered
        if failure:
            raise failure[0]
        if not outcome:
            await life.ended.wait()
            raise Lost
        return outcome[0]
