"""Clients: they put, get, delete and list at a gateway, think in between, and check each answer in the ledger.

An error is no broken promise while faults strike: the federation may say that it cannot. A wrong answer is one at
any time.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import trio

from node.admin.services import Services
from node.host.ports import Buffer
from node.vault.objects import BlockExplanation, NamespaceStatus, ObjectPath, ObjectStat
from node.vault.sheet import Sheet, read_sheet
from protocol.errors import MaillonError, Missing
from sim.federation.lives import ANSWER_WITHIN_S, Lives, Lost, Unanswered
from sim.host.trace import Trace
from sim.oracle.content import LEAST_BYTES, MARK, content, write_of
from sim.oracle.ledger import ABSENT, Ledger
from sim.oracle.violations import Broken, Violation
from sim.scenario.model import WorkloadSection

R = TypeVar("R")
BUCKET = "album"
ABSENCES = ("object-missing", "bucket-missing")  # answers, not failures
_PAGE = 1_000


class Held:
    """A source of bytes that are at hand; see `node.vault.objects.Source`."""

    def __init__(self, data: bytes) -> None:
        self._left = memoryview(data)

    async def receive_into(self, buffer: memoryview) -> int:
        count = min(len(self._left), len(buffer))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


@dataclass(slots=True)
class Gathered:
    """A sink that keeps what came; see `node.vault.objects.Sink`."""

    data: bytearray = field(default_factory=bytearray)

    async def begin(self, stat: ObjectStat) -> None:
        self.data.clear()

    async def write(self, parts: list[Buffer]) -> None:
        for part in parts:
            self.data += part


@dataclass(slots=True)
class Tally:
    """How often each call was answered, and how often with an error."""

    answered: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)


class Patron:
    """All clients of one namespace. `gateways` are the nodes that they ask, each call of any of them: the one that
    created the namespace, and those that took it over since. `haste`: how many times as often as they use to.
    `look` says what an object lacks that was just stored."""

    def __init__(
        self,
        lives: Lives,
        gateway: str,
        namespace: str,
        work: WorkloadSection,
        trace: Trace,
        look: Callable[[str, ObjectPath], Awaitable[Sequence[Broken]]],
    ) -> None:
        self.gateway = gateway
        self.gateways = [gateway]
        self.haste = 1.0
        self.namespace = namespace
        self.ledger = Ledger()
        self.tally = Tally()
        self.violations: list[Violation] = []
        self._words = ""
        self._lives = lives
        self._work = work
        self._trace = trace
        self._look = look

    async def create(self, data_class: str) -> None:
        """Make the namespace, at its gateway."""
        created = await self._lives.on(
            self.gateway, lambda services: services.vault.create_namespace(self.namespace, data_class=data_class)
        )
        self._words = created.sheet

    @property
    def sheet(self) -> Sheet:
        """The words on paper."""
        if not self._words:
            raise RuntimeError(f"{self.namespace} was not created yet")
        return read_sheet(self._words)

    def also_at(self, node: str) -> None:
        """From now on the clients ask this node too."""
        if node not in self.gateways:
            self.gateways.append(node)

    async def health(self, node: str) -> NamespaceStatus | MaillonError | Lost:
        """How the namespace is, as one of its gateways has it; or why that cannot be said."""
        try:
            statuses = await self._lives.on(node, lambda services: services.vault.namespaces())
        except (MaillonError, Lost) as error:
            return error
        return next((status for status in statuses if status.name == self.namespace), Lost())

    async def serving(self) -> str | None:
        """The gateway that can write the namespace now, if one can."""
        for node in self.gateways:
            health = await self.health(node)
            if isinstance(health, NamespaceStatus) and health.problem is None:
                return node
        return None

    async def whereabouts(self, node: str, key: str) -> tuple[BlockExplanation, ...]:
        """The blocks that a key's object is in, as a gateway has it. Raises MaillonError, Lost."""
        found = await self._lives.on(node, lambda services: services.vault.explain(self._path(key)))
        return found.blocks

    async def live(self, numbers: random.Random) -> None:
        """One client, until cancelled between two calls."""
        work = self._work
        calls: list[tuple[Callable[[random.Random, str], Awaitable[None]], int]] = [
            (self._put, work.puts),
            (self._get, work.gets),
            (self._remove, work.removes),
            (self._list, work.lists),
        ]
        while True:
            await trio.sleep(numbers.expovariate(self.haste / work.pause_s))
            (call,) = numbers.choices([each for each, _ in calls], [weight for _, weight in calls])
            with trio.CancelScope(shield=True):
                await call(numbers, self._choose(numbers))

    async def read_all(self, node: str) -> dict[str, MaillonError | Lost]:
        """Every key, judged; the keys that could not be read, with the reason."""
        unreadable = {}
        for key in sorted(self.ledger.registers):
            error = await self.read(key, node)
            if error is not None:
                unreadable[key] = error
        await self.list_all(node)
        return unreadable

    async def remove_all(self, node: str) -> None:
        """Delete every key."""
        for key in sorted(self.ledger.registers):
            await self.remove(key, node)

    def paths(self) -> list[ObjectPath]:
        """Of all objects that were ever written."""
        return [self._path(key) for key in sorted(self.ledger.registers)]

    async def read(self, key: str, node: str) -> MaillonError | Lost | None:
        """Get and judge; what kept it from being read."""
        asked_s, sink = trio.current_time(), Gathered()
        try:
            await self._ask(node, "get", key, lambda services: services.vault.get(self._path(key), sink))
        except Missing as error:
            if error.identifier not in ABSENCES:
                return error
            self._judge(self.ledger.judge_absence(key, asked_s, trio.current_time()))
            return None
        except (MaillonError, Lost) as error:
            return error
        self._judge_bytes(key, bytes(sink.data), asked_s)
        return None

    async def list_all(self, node: str) -> None:
        """List, and judge what is there and what is not."""
        asked_s = trio.current_time()
        try:
            listing = await self._ask(
                node,
                "list",
                "",
                lambda services: services.vault.list(
                    BUCKET, "", start_after="", limit=_PAGE, namespace=self.namespace
                ),
            )
        except (MaillonError, Lost):
            return
        listed = {entry.key for entry in listing.entries}
        for key in sorted(set(self.ledger.registers) - listed):
            self._judge(self.ledger.judge_absence(key, asked_s, trio.current_time()))

    # --- the calls -----------------------------------------------------------------------------------------------

    async def _put(self, numbers: random.Random, node: str) -> None:
        key = self._key(numbers)
        most = self._work.small_bytes if numbers.random() < 0.5 else self._work.large_bytes
        size_bytes = max(LEAST_BYTES, numbers.randint(1, most))
        write = self.ledger.begin(key, size_bytes, trio.current_time())
        data = content(key, write.number, size_bytes)
        try:
            stat = await self._ask(node, "put", key, lambda services: services.vault.put(self._path(key), Held(data)))
        except (MaillonError, Lost):
            self.ledger.unknown(write, trio.current_time())
        else:
            self.ledger.done(write, trio.current_time())
            self._trace.record(
                "acknowledged",
                call="put",
                namespace=self.namespace,
                key=key,
                write=write.number,
                version=stat.version.hex(),
            )
            for broken in await self._look(node, self._path(key)):
                self._violate(broken.law, broken.told)

    async def _get(self, numbers: random.Random, node: str) -> None:
        await self.read(self._key(numbers), node)

    async def _remove(self, numbers: random.Random, node: str) -> None:
        await self.remove(self._key(numbers), node)

    async def remove(self, key: str, node: str) -> None:
        """Delete, and judge when there is nothing to delete."""
        asked_s = trio.current_time()
        write = self.ledger.begin(key, ABSENT, asked_s)
        try:
            await self._ask(node, "remove", key, lambda services: services.vault.remove(self._path(key)))
        except Missing as error:
            self.ledger.unknown(write, asked_s)
            if error.identifier in ABSENCES:
                self._judge(self.ledger.judge_absence(key, asked_s, trio.current_time()))
        except (MaillonError, Lost):
            self.ledger.unknown(write, trio.current_time())
        else:
            self.ledger.done(write, trio.current_time())
            self._trace.record("acknowledged", call="rm", namespace=self.namespace, key=key, write=write.number)

    async def _list(self, _numbers: random.Random, node: str) -> None:
        await self.list_all(node)

    # --- inside --------------------------------------------------------------------------------------------------

    async def _ask(self, node: str, call: str, key: str, work: Callable[[Services], Awaitable[R]]) -> R:
        asked_s = trio.current_time()
        try:
            answer = await self._lives.on(node, work)
        except (MaillonError, Lost) as error:
            reason = error.identifier if isinstance(error, MaillonError) else "lost"
            told = f"{call} {reason}"
            self.tally.refused[told] = self.tally.refused.get(told, 0) + 1
            self._tell(node, call, key, reason, asked_s)
            if isinstance(error, Unanswered):
                self._violate("answers", f"{call} at {node} was not answered within {ANSWER_WITHIN_S:g} s")
            raise
        self.tally.answered[call] = self.tally.answered.get(call, 0) + 1
        self._tell(node, call, key, "done", asked_s)
        return answer

    def _tell(self, node: str, call: str, key: str, answer: str, asked_s: float) -> None:
        took_s = round(trio.current_time() - asked_s, 6)
        self._trace.record("call", gateway=node, call=call, key=key, answer=answer, took_s=took_s)

    def _judge_bytes(self, key: str, data: bytes, asked_s: float) -> None:
        number = write_of(data)
        if len(data) < LEAST_BYTES or data != content(key, number, len(data)):
            self._judge(f"{key} gives {len(data)} bytes that nobody wrote")
            return
        self._judge(self.ledger.judge_presence(key, number, len(data), asked_s, trio.current_time()))

    def _judge(self, told: str) -> None:
        if told:
            self._violate("acknowledged", f"{self.namespace}: {told}")

    def _violate(self, law: str, told: str) -> None:
        self.violations.append(Violation(trio.current_time(), law, told))
        self._trace.record("violation", law=law, told=told)

    def _choose(self, numbers: random.Random) -> str:
        return self.gateway if len(self.gateways) == 1 else numbers.choice(self.gateways)

    def _key(self, numbers: random.Random) -> str:
        return f"{MARK.decode()} {numbers.randrange(self._work.keys)}"

    def _path(self, key: str) -> ObjectPath:
        return ObjectPath(BUCKET, key, self.namespace)
