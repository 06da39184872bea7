"""Who answers: the SWIM rounds of `protocol.members.swim` over real connections.

Each round probes one member, directly and, if that fails, through a few others; members not heard of yet are
greeted at once, so that a starting node knows within a round trip who is there. A probe proves more than a rumour:
the connection proved the other end's key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from node.logs import get_logger
from node.mesh.config import MeshConfig
from node.mesh.peers import Peers
from node.net.exchange import Exchange
from protocol.errors import MaillonError, Unavailable
from protocol.ids import NodeId, short_text_of
from protocol.members.swim import Change, ProbePlan, Status, Swim
from protocol.requests import Kind, Ping, PingVia, PingViaReply

GREETINGS_MAX = 16
ERRANDS_MAX = 32
PAUSE_SHARE = 0.1

_log = get_logger(__name__)


class Prober:
    """Drives one `Swim`. `changed` hears of every change of status."""

    def __init__(
        self, swim: Swim, peers: Peers, config: MeshConfig, *, changed: Callable[[Sequence[Change]], None]
    ) -> None:
        self._swim = swim
        self._peers = peers
        self._config = config.swim
        self._changed = changed
        self._hurry = trio.Event()
        self._errands = trio.CapacityLimiter(ERRANDS_MAX)

    async def run(self) -> None:
        """Probe round after round until cancelled."""
        while True:
            await self._go_round()
            self._peers.tend()
            self._settle()
            await self._pause()

    async def _go_round(self) -> None:
        strangers, plan = self._swim.unheard()[:GREETINGS_MAX], self._swim.next_probe()
        if plan is not None and not strangers:
            await self._carry_out(plan)
            return
        async with trio.open_nursery() as nursery:
            for node in strangers:
                nursery.start_soon(self._ping, node, self._config.probe_timeout_s)
            if plan is not None:
                nursery.start_soon(self._carry_out, plan)

    async def _pause(self) -> None:
        """Until the next round is due, or is wanted at once; but a peer that keeps breaking its connections must
        not make us probe without pause."""
        interval_s = self._config.probe_interval_s
        not_before_s = trio.current_time() + PAUSE_SHARE * interval_s
        with trio.move_on_after(self._swim.scale() * interval_s):
            await self._hurry.wait()
        if trio.current_time() < not_before_s:
            await trio.sleep_until(not_before_s)
        self._hurry = trio.Event()

    def hurry(self, node: NodeId | None = None) -> None:
        """Do not wait for the next round: there are newcomers, or a connection to `node` broke."""
        if node is not None:
            self._swim.probe_soon(node)
        self._hurry.set()

    async def probe(self, node: NodeId) -> bool:
        """Ask the node now, directly, then through others. True if it answered either way."""
        answered = await self._carry_out(self._swim.plan_for(node))
        self._settle()
        return answered

    async def farewell(self) -> None:
        """Tell everybody who answers that this node stops."""
        told = self._swim.live()
        self._swim.leave()
        async with trio.open_nursery() as nursery:
            for node in sorted(told):
                nursery.start_soon(self._ping, node, self._config.probe_timeout_s)

    async def serve_ping(self, exchange: Exchange) -> None:
        node = exchange.peer.node
        if node is None:
            raise Unavailable("node-unreachable", because="no-address")
        self._hear(exchange.decode(Ping).updates, node)
        await exchange.answer(Ping(self._swim.updates_to_send(node)))

    async def serve_ping_via(self, exchange: Exchange) -> None:
        target = exchange.decode(PingVia).target
        answered = False
        if self._swim.knows(target):
            async with self._errands:
                answered = await self._ping(target, self._config.probe_timeout_s)
        await exchange.answer(PingViaReply(answered))

    async def _carry_out(self, plan: ProbePlan) -> bool:
        if await self._ping(plan.target, plan.timeout_s):
            return True
        if await self._ping_through(plan):
            self._swim.answered_for(plan.target)
            return True
        self._swim.probe_failed(plan.target, trio.current_time())
        return False

    async def _ping(self, node: NodeId, timeout_s: float) -> bool:
        message = Ping(self._swim.updates_to_send(node))
        try:
            answer = await self._peers.ask(node, Kind.PING, message, Ping, deadline_s=timeout_s)
        except MaillonError as error:
            _log.debug("probe-unanswered", node=short_text_of(node), because=str(error))
            return False
        self._swim.probe_answered(node)
        self._hear(answer.message.updates, node)
        return True

    def _hear(self, updates: Sequence[bytes], teller: NodeId) -> None:
        """Take in rumours. One that is broken, or of a later protocol, spoils neither the others nor the probe."""
        refusal: MaillonError | None = None
        for update in updates:
            try:
                self._swim.on_updates((update,), trio.current_time())
            except MaillonError as error:
                refusal = refusal or error
        if refusal is not None:
            _log.warning("updates-refused", node=short_text_of(teller), because=str(refusal))
        self._settle()

    async def _ping_through(self, plan: ProbePlan) -> bool:
        answered = False
        async with trio.open_nursery() as nursery:

            async def errand(helper: NodeId) -> None:
                nonlocal answered
                # The helper needs its own timeout for the target, and some time to tell us.
                deadline_s = 2 * plan.timeout_s
                try:
                    answer = await self._peers.ask(
                        helper, Kind.PING_VIA, PingVia(plan.target), PingViaReply, deadline_s=deadline_s
                    )
                except MaillonError:
                    return
                if answer.message.answered:
                    answered = True
                    nursery.cancel_scope.cancel()

            for helper in self._swim.helpers(plan.target):
                nursery.start_soon(errand, helper)
        return answered

    def _settle(self) -> None:
        changes = self._swim.tick(trio.current_time())
        for change in changes:
            if change.after in (Status.DOWN, Status.LEFT) or change.before is Status.DOWN:
                _log.info(
                    "member", node=short_text_of(change.node), before=change.before.value, now=change.after.value
                )
        if changes:
            self._changed(changes)
