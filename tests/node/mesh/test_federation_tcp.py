"""Three nodes on real loopback sockets and disks: they join, find each other, ask, and notice who is gone."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from node.host.real import real_host
from protocol.ids import BlockId
from protocol.members.swim import Status
from protocol.requests import HasShares, HasSharesReply, Kind
from tests.support.members import Party, found
from tests.support.meshes import fast_config, invite, join_with, running, until, write_records


def a_free_port() -> str:
    with socket.socket() as probing:
        probing.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probing.getsockname()[1]}"


async def test_three_nodes_join_find_each_other_ask_and_notice_a_death(tmp_path: Path) -> None:
    one, two, three = parties = [Party(n) for n in (1, 2, 3)]
    ports = [a_free_port() for _ in parties]
    hosts = [real_host(tmp_path / party.name) for party in parties]
    founded = found(one, (ports[0],))
    federation = founded.federation
    await write_records(hosts[0], federation, founded.records)
    everybody = {party.node for party in parties}
    async with running(hosts[0], one, federation, fast_config(ports[0])) as a:
        for party, host, port in zip(parties[1:], hosts[1:], ports[1:], strict=True):
            token = invite(one, federation, a.addresses, expires_s=int(time.time()) + 60, nonce=party.number)
            await join_with(host, party, token, port)
        async with running(hosts[1], two, federation, fast_config(ports[1])) as b:
            async with running(hosts[2], three, federation, fast_config(ports[2])) as c:
                await until(lambda: a.live() == b.live() == c.live() == everybody, a, b, c)
                question = HasShares((BlockId(bytes(32)),))
                answer = await b.ask(c.me, Kind.HAS_SHARES, question, HasSharesReply, deadline_s=2)
                assert answer.message.held == (7,)
                assert await a.probe(c.me)
            await until(lambda: a.swim.status(three.node) is b.swim.status(three.node) is Status.DOWN, a, b)
            assert a.live() == b.live() == {one.node, two.node}
            assert not await a.probe(three.node)
