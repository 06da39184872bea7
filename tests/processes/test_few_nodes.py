"""Fewer live nodes than the class needs: refused at once, saying how many are missing and which; reads go on."""

from __future__ import annotations

import time

import pytest
import trio

from protocol.errors import Unavailable
from tests.support.devnet import maillon
from tests.support.processes import BUCKET, GATEWAY, Town, names_in, some_bytes

pytestmark = pytest.mark.processes

LOST = ("n4", "n5", "n6")
REFUSED_WITHIN_S = 20.0


async def test_a_put_that_cannot_be_made_safe_is_refused_by_name_and_reads_go_on(six_nodes: Town) -> None:
    data = some_bytes(1, 600_000)
    await six_nodes.put("few/kept", data)
    await six_nodes.kill(*LOST)
    began_s = time.monotonic()
    with pytest.raises(Unavailable, match="holders-too-few") as refused:
        await six_nodes.put("few/refused", data)
    assert time.monotonic() - began_s < REFUSED_WITHIN_S
    assert refused.value.parameters["reached"] == 3
    assert refused.value.parameters["needed"] == 4
    assert names_in(refused.value, "missing") == set(LOST)
    assert await six_nodes.get("few/kept") == data
    said = await trio.to_thread.run_sync(
        lambda: maillon("--dir", six_nodes.dir(GATEWAY), "put", "-", f"{BUCKET}/few/said", stdin=data)
    )
    assert said.code != 0
    assert all(name in said.err for name in LOST)
    assert await six_nodes.get_if_there("few/refused") is None


async def test_the_namespace_opens_by_itself_once_enough_nodes_are_back(six_nodes: Town) -> None:
    data = some_bytes(2, 600_000)
    await six_nodes.kill(*six_nodes.names)
    await six_nodes.start(GATEWAY, "n2")
    with pytest.raises(Unavailable, match=r"namespace-opening|journal-not-ready"):
        await six_nodes.put("few/early", data)
    await six_nodes.heal()
    await six_nodes.put("few/back", data)
    assert await six_nodes.get("few/back") == data
