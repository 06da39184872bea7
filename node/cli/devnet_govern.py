"""How a devnet's organisations are admitted: as real ones are, by ballots, each cast through its own node."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from node.admin.member_calls import ADMIT, INVITE, Admit, Invite
from node.admin.namespace_calls import NAMESPACE_CREATE, NamespaceCreate
from node.admin.s3_calls import S3_KEY_CREATE, S3KeyCreate
from node.cli.devnet_book import DevNode, DevS3
from node.cli.devnet_health import wait_each
from node.cli.federation_members import members_of
from node.cli.reach import node_at

INVITATION_S = 3_600
DATA_CLASS = "internal"


async def invite(node: DevNode, count: int) -> list[str]:
    """So many invitations."""
    async with node_at(Path(node.dir)) as client:
        return [(await client.call(INVITE, Invite(INVITATION_S))).token for _number in range(count)]


async def create_namespace(node: DevNode, name: str) -> str:
    """Create it with `node` as gateway; the recovery sheet."""
    async with node_at(Path(node.dir)) as client:
        return (await client.call(NAMESPACE_CREATE, NamespaceCreate(name, DATA_CLASS))).recovery


async def create_key(node: DevNode, namespace: str, *, access_key: str, secret_key: str) -> DevS3:
    """A key for all of the namespace's buckets at its gateway; drawn, unless both halves are given."""
    async with node_at(Path(node.dir)) as client:
        made = await client.call(S3_KEY_CREATE, S3KeyCreate(namespace, "", False, access_key, secret_key))
    return DevS3(made.endpoint, made.region, made.access_key, made.secret_key)


async def admit_all(nodes: Sequence[DevNode], *, ceiling_bytes: int, timeout_s: float) -> None:
    """Have every organisation admitted, one after the other, each by those admitted before it."""
    voters: list[DevNode] = []
    for node in nodes:
        if node.organisation in {voter.organisation for voter in voters}:
            continue
        if voters:
            await _admit(node.organisation, voters, ceiling_bytes=ceiling_bytes)
        voters.append(node)
        await _wait_admitted(nodes, node.organisation, timeout_s=timeout_s)


async def _admit(organisation: str, voters: Sequence[DevNode], *, ceiling_bytes: int) -> None:
    """Cast as many ballots as the decision needs. A voter may not have heard of the others' ballots yet."""
    question = Admit(organisation, "FR", "association", (), ceiling_bytes)
    for cast, voter in enumerate(voters, start=1):
        async with node_at(Path(voter.dir)) as client:
            line = await client.call(ADMIT, question)
        if line.state == "decided" or cast >= line.needed:
            return


async def _wait_admitted(nodes: Sequence[DevNode], organisation: str, *, timeout_s: float) -> None:
    """The next ballot must be cast by members who know the last decision."""

    async def knows(node: DevNode) -> bool:
        async with node_at(Path(node.dir)) as client:
            members = await members_of(client)
        return any(line.name == organisation and line.admitted for line in members.organisations)

    await wait_each(nodes, knows, timeout_s=timeout_s)
