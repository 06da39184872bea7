"""A gateway is away while the holders of its journal go: what it wrote is passed on, and stays readable."""

from __future__ import annotations

import trio

from node.admin.services import Services
from protocol.ids import NamespaceId
from protocol.requests import Kind
from protocol.succession.requests import HeldEpoch, SuccessionAsk, SuccessionAskReply
from tests.support.township import Township, in_a_township, node_of

# One more than the journal has holders.
SIZE = 7


async def known(town: Township, asking: int, asked: int) -> tuple[HeldEpoch, ...]:
    """What one node tells another of the namespace's epochs."""
    namespace = town.houses[asking].services.mesh.view.facts.namespaces[0].namespace

    async def ask(services: Services) -> tuple[HeldEpoch, ...]:
        question = SuccessionAsk(NamespaceId(namespace), 1)
        answer = await services.mesh.ask(
            node_of(asked), Kind.SUCCESSION_ASK, question, SuccessionAskReply, deadline_s=10
        )
        return answer.message.epochs

    return await town.on(asking, ask)


async def copies(town: Township) -> dict[int, HeldEpoch]:
    """Who has a copy of the newest epoch."""
    found = {number: await known(town, min({*town.houses} - {number}), number) for number in town.houses}
    return {number: epochs[-1] for number, epochs in found.items() if epochs and epochs[-1].is_copy}


def test_what_an_absent_gateway_wrote_goes_on_to_as_many_nodes_as_holders_are_away() -> None:
    async def main(town: Township) -> None:
        town.journal_copy_after_s = 30.0
        client = await town.settle(SIZE)
        for number in range(5):
            await client.put(f"small-{number}", b"x" * 1_000)
        await town.until_settled()
        holders = [number for number in range(2, SIZE + 1) if await known(town, 1, number)]
        longest = max([(await known(town, 1, number))[-1].length for number in holders])
        town.kill(holders[0])
        await trio.sleep(45)
        assert await copies(town) == {}, "the gateway is there, and sees to it"
        town.kill(1)
        await trio.sleep(90)
        found = await copies(town)
        assert found
        assert all(copy.length >= longest for copy in found.values())

    in_a_township(main, seed=5)
