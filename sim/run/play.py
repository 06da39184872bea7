"""Playing a scenario: settle in, let faults strike while clients work, stop them, wait until all is whole, read all.

Safety is judged all the time: a wrong answer, an unlawful share or a leaked word is a violation at any moment.
Liveness is judged at the end only: once the faults stopped, everything must be whole within the scenario's bound,
and then everything acknowledged must be read back, also by a gateway that has to rebuild its catalog.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import trio

from node.vault.objects import NamespaceStatus
from sim.faults.kinds import Planned
from sim.faults.striking import Striker
from sim.federation.federation import Federation
from sim.host.network import Conditions
from sim.host.scheduling import run_deterministically
from sim.host.streams import stream
from sim.host.trace import Trace
from sim.host.world import World
from sim.oracle.bounds import Kept
from sim.oracle.census import Census
from sim.oracle.clients import Patron
from sim.oracle.content import MARK
from sim.oracle.healing import missing, overstated
from sim.oracle.laws import Watch, held_on_to, short
from sim.oracle.losses import Losses
from sim.oracle.margins import Margins
from sim.oracle.standing import Standing
from sim.oracle.violations import Broken, Violation
from sim.run.saying import heard
from sim.run.thrift import thrift
from sim.scenario.model import Scenario
from sim.scenario.reading import code_of

SETTLE_WITHIN_S = 300.0
_LOOK_EVERY_S = 0.5
_DIGEST_EVERY_S = 10.0


@dataclass(slots=True)
class Outcome:
    """What came of a run. `healed_s` is how long healing took; None when it did not. `crash` is the traceback of
    an error that nobody expected, in a node or in the world itself; it is a violation too."""

    scenario: str
    seed: int
    faults: tuple[Planned, ...]
    violations: list[Violation] = field(default_factory=list)
    answered: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    healed_s: float | None = None
    virtual_s: float = 0.0
    cpu_s: float = 0.0
    events: int = 0
    digest: str = ""
    crash: str = ""


def play(
    scenario: Scenario, seed: int, faults: Sequence[Planned], write: Callable[[str], None] | None = None
) -> Outcome:
    """One run; `write` takes each line of the event log."""
    outcome = Outcome(scenario.name, seed, tuple(faults))
    began_s = time.process_time()
    with thrift():
        run_deterministically(seed, _play, scenario, outcome, write)
    outcome.cpu_s = time.process_time() - began_s
    return outcome


async def _play(scenario: Scenario, outcome: Outcome, write: Callable[[str], None] | None) -> None:
    trace = Trace(write)
    with heard(trace):
        world = World(outcome.seed, conditions_of(scenario), trace)
        world.wires.forbidden = MARK
        try:
            async with trio.open_nursery() as nursery:
                await _Game(scenario, outcome, world, nursery).run()
                nursery.cancel_scope.cancel()
        except Exception as error:
            told = _told(error)
            outcome.crash = traceback.format_exc()
            outcome.violations.append(Violation(trio.current_time(), "crash", told))
            trace.record("violation", law="crash", told=told)
        finally:
            outcome.events, outcome.digest, outcome.virtual_s = trace.events, trace.digest(), trio.current_time()


def _told(error: BaseException) -> str:
    """The first of what a nursery gathered."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


class _Game:
    """The parts of a run, one after the other."""

    def __init__(self, scenario: Scenario, outcome: Outcome, world: World, nursery: trio.Nursery) -> None:
        self._scenario = scenario
        self._outcome = outcome
        self._world = world
        self._nursery = nursery
        self._federation = Federation(scenario, world, nursery)
        self._watch = Watch(self._federation)
        self._standing = Standing(self._federation)
        self._census = Census()
        self._losses = Losses(self._federation.cast)
        gateways = self._federation.cast.names[: scenario.federation.gateways]
        self._patrons = [
            Patron(
                self._federation.lives,
                gateway,
                f"ns-{gateway}",
                scenario.workload,
                world.trace,
                self._standing.acknowledged,
            )
            for gateway in gateways
        ]
        by_gateway = {patron.gateway: patron for patron in self._patrons}
        self._striker = Striker(self._federation, by_gateway, outcome.seed, nursery)

    async def run(self) -> None:
        try:
            await self._settle()
            await self._safety()
            await self._heal()
            await self._read_back()
            await self._delete_all()
        finally:
            self._sum_up()

    async def _settle(self) -> None:
        """Everybody runs, sees everybody, and the namespaces can be written."""
        await self._federation.settle_in()
        async with trio.open_nursery() as nursery:
            for name in self._federation.names:
                nursery.start_soon(self._federation.start, name)
        await self._until_whole(SETTLE_WITHIN_S, [])
        for patron in self._patrons:
            await patron.create(self._scenario.federation.data_class)
        if await self._until_whole(SETTLE_WITHIN_S, self._patrons) is None:
            lacking = "; ".join(await missing(self._federation, self._patrons))
            raise RuntimeError(f"the federation never stood, so the scenario cannot be played: {lacking}")
        self._world.trace.record("settled")

    async def _safety(self) -> None:
        begin_s = trio.current_time()
        async with trio.open_nursery() as nursery:
            for patron in self._patrons:
                for client in range(self._scenario.workload.clients):
                    numbers = stream(self._outcome.seed, "client", patron.namespace, str(client))
                    nursery.start_soon(patron.live, numbers)
            nursery.start_soon(self._look_on)
            for planned in self._outcome.faults:
                await trio.sleep_until(begin_s + planned.at_s)
                self._losses.note(planned.fault, trio.current_time())
                await self._striker.strike(planned)
            await trio.sleep_until(begin_s + self._scenario.phases.safety_s)
            nursery.cancel_scope.cancel()

    async def _look_on(self) -> None:
        last_s = -_DIGEST_EVERY_S
        while True:
            await trio.sleep(self._scenario.phases.check_every_s)
            await self._check()
            if trio.current_time() - last_s >= _DIGEST_EVERY_S:
                last_s = trio.current_time()
                self._world.trace.record("so-far", digest=self._world.trace.digest()[:16])

    async def _heal(self) -> None:
        await self._striker.mend()
        within_s = self._scenario.phases.heal_within_s
        self._outcome.healed_s = await self._until_whole(within_s, self._patrons)
        if self._outcome.healed_s is None and self._scenario.expect.healed:
            for told in await missing(self._federation, self._patrons):
                self._violate("healed", f"{within_s:g} s after the faults stopped, {told}")
        self._world.trace.record("healed", after_s=self._outcome.healed_s)
        kept = await self._check()
        expect = self._scenario.expect
        if expect.full:
            known = " (known: it fails until the federation heals itself)" if expect.needs_repair else ""
            for broken in short(self._census.now_named(), kept):
                self._violate(broken.law, f"{broken.told}{known}")
        if not self._losses.took_any():
            await self._check_promises(kept)

    async def _check_promises(self, kept: Kept) -> None:
        """Where nothing was lost, what a gateway promises must be true."""
        for patron in self._patrons:
            node = await patron.serving()
            health = None if node is None else await patron.health(node)
            named = {block.block: block for blocks in self._census.of_namespace(patron.namespace) for block in blocks}
            if isinstance(health, NamespaceStatus):
                for told in overstated(self._federation, health, named, kept):
                    self._violate("promised", told)

    async def _read_back(self) -> None:
        """With the catalog that the gateway has, then with one that it has to make anew."""
        for patron in self._patrons:
            await self._bring_back(patron)
            await self._read_all(patron, "")
            for gateway in patron.gateways:
                if gateway in self._federation.running:
                    self._federation.lives.kill(gateway)
                    self._federation.forget_indexes(gateway)
                    await self._federation.start(gateway)
        await self._until_whole(self._scenario.phases.heal_within_s, self._patrons)
        for patron in self._patrons:
            await self._read_all(patron, "by a gateway with a new catalog, ")
        for broken in [*self._watch.at_rest(self._patrons), *await self._standing_at_rest()]:
            self._violate(broken.law, broken.told)

    async def _standing_at_rest(self) -> list[Broken]:
        """What the gateways call stored, and is not there, though nothing happened to its holder's disks."""
        serving = [(patron, await patron.serving()) for patron in self._patrons]
        excused = self._losses.touched()
        return [
            broken
            for patron, node in serving
            if node is not None
            for broken in await self._standing.at_rest(node, patron.paths(), excused)
        ]

    async def _bring_back(self, patron: Patron) -> None:
        """A namespace without any gateway is recovered from its sheet, by a node of the same organisation if any."""
        federation, lost = self._federation, self._federation.cast[patron.gateway].house
        if not federation.gone.issuperset(patron.gateways):
            return
        left = [name for name in federation.names if name not in federation.expelled]
        order = sorted(left, key=lambda name: (federation.cast[name].house != lost, federation.cast[name].number))
        await self._striker.take_over(order[0], patron)
        await self._until_whole(self._scenario.phases.heal_within_s, self._patrons)

    async def _read_all(self, patron: Patron, how: str) -> None:
        """Law 1: whatever cannot be read must be excused by what the faults took."""
        node = await patron.serving()
        if node is None:
            if not self._margins.excuses_journal(patron.namespace):
                self._violate("readable", f"{how}{patron.namespace} has no gateway that can serve it")
            return
        for key, error in (await patron.read_all(node)).items():
            excused = await self._margins.excuses(patron.namespace, key)
            self._world.trace.record("unreadable", key=key, error=repr(error), excused=excused)
            if not excused:
                self._violate("readable", f"{how}{key}: {error}")

    async def _delete_all(self) -> None:
        """Law 6, last of all: once everything is deleted, its shares are given up within the bound of healing."""
        for patron in self._patrons:
            node = await patron.serving()
            if node is not None:
                await patron.remove_all(node)
        began_s = trio.current_time()
        while True:
            kept = await self._check()
            broken = held_on_to(self._census.unnamed_now(), self._kept_by_members(kept))
            late = trio.current_time() - began_s > self._scenario.phases.heal_within_s
            if not broken or late:
                break
            await trio.sleep(self._scenario.phases.check_every_s)
        for each in broken:
            self._violate(each.law, each.told)

    def _kept_by_members(self, kept: Kept) -> Kept:
        """Without those who are told nothing any more, those who lied when they were told, and those who have
        deleted it once: an old image of their disks brought it back, which only an inventory finds, a day later."""
        out = self._federation.expelled | self._federation.liars | self._losses.rolled_back
        return {block: [place for place in places if place[0] not in out] for block, places in kept.items()}

    async def _until_whole(self, within_s: float, patrons: Sequence[Patron]) -> float | None:
        """How long it took; None when it took too long."""
        began_s = trio.current_time()
        while await missing(self._federation, patrons):
            if trio.current_time() - began_s > within_s:
                return None
            await trio.sleep(_LOOK_EVERY_S)
        return trio.current_time() - began_s

    async def _check(self) -> Kept:
        """What must always hold; and the census of this moment."""
        await self._census.ask(self._patrons, self._federation.cast)
        kept = await self._watch.kept()
        self._census.count(kept, trio.current_time(), self._world.trace)
        for broken in self._watch.always(kept):
            self._violate(broken.law, broken.told)
        return kept

    @property
    def _margins(self) -> Margins:
        code = code_of(self._scenario)
        return Margins(self._federation, self._losses, self._census, 1 if code is None else code.margin)

    def _violate(self, law: str, told: str) -> None:
        self._outcome.violations.append(Violation(trio.current_time(), law, told))
        self._world.trace.record("violation", law=law, told=told)

    def _sum_up(self) -> None:
        outcome = self._outcome
        for patron in self._patrons:
            outcome.violations += patron.violations
            for call, count in patron.tally.answered.items():
                outcome.answered[call] = outcome.answered.get(call, 0) + count
            for call, count in patron.tally.refused.items():
                outcome.refused[call] = outcome.refused.get(call, 0) + count
        outcome.violations.sort()


def conditions_of(scenario: Scenario) -> Conditions:
    """The links as the scenario says."""
    network = scenario.network
    return Conditions(
        latency_min_s=network.latency_min_ms / 1000,
        latency_max_s=network.latency_max_ms / 1000,
        dial_loss=network.dial_loss,
        send_loss=network.send_loss,
        bandwidth_bytes_s=network.bandwidth_mbit * 125_000,
    )
