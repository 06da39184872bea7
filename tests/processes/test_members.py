"""Who gets in, who is heard, who is put out: invitations, records, puppets and an expulsion, with real members.

The tests share one federation of four and run in this order; the last one leaves it smaller than it was.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar

import pytest
import trio

from node.admin.member_calls import EXPEL, INVITE, Expel, Invite
from node.cli.devnet_book import DevNode, load_book, save_book
from node.cli.exits import CODES
from node.cli.federation_join import join_federation
from node.cli.federation_members import members_of
from node.cli.init import Given, create_node
from node.cli.newcomer import newcomer_of
from node.folder import NodeFolder
from node.host.real import real_host
from node.membership import join as entry_for
from protocol.errors import Forged, MaillonError, Malformed, OverLimit, Refused
from protocol.ids import Digest, FederationId, text_of
from protocol.limits import RECORD_BYTES_MAX
from protocol.members.invitations import (
    Invitation,
    encode_invitation,
    encode_invitation_text,
    invitation_id,
    make_invitation,
)
from protocol.members.records import encode_record, record_id, sign_record
from protocol.requests import Done, Join, Kind, Ping, PushRecords
from protocol.wire.envelopes import Role
from protocol.wire.schema import Length
from tests.support.devnet import maillon
from tests.support.hostile import Identity, identity_of, view_of, visiting
from tests.support.members import Party
from tests.support.processes import DEADLINE_S, GATEWAY, Town, eventually, some_bytes, town

pytestmark = pytest.mark.processes

SPONSOR = "n4"
PUPPETS = tuple(f"puppet{number}" for number in range(1, 11))
LATER_S = 4_000_000_000


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Four organisations; the preset is 2 of 4, and three of them are a quorum."""
    with town(tmp_path_factory.mktemp("four") / "devnet", "--nodes", "4") as made:
        yield made


def create(folder: Path, name: str, address: str = "127.0.0.1:0") -> Path:
    """A node that belongs nowhere yet, of an organisation with its name."""
    create_node(folder / name, Given(name, None, "", "", name, name, address, (), 10**11, "tls"))
    return folder / name


async def invited(four: Town, inviter: str) -> str:
    async with four.client(inviter) as client:
        return (await client.call(INVITE, Invite(3_600))).token


def written_by(folder: Path, address: str, *, federation: FederationId | None = None, expires_s: int) -> Invitation:
    """An invitation that the node in the folder signed itself, whatever its program would have signed."""
    node = NodeFolder(real_host(folder).disk, str(folder))
    membership = node.membership()
    return make_invitation(
        node.node_key(),
        federation or membership.federation,
        membership.certification.organisation,
        addresses=(address,),
        expires_s=expires_s,
        nonce=bytes(31) + b"1",
    )


async def names_known_to(four: Town, name: str) -> set[str]:
    """The organisations and nodes in the node's view."""
    async with four.client(name) as client:
        members = await members_of(client)
    return {line.name for line in members.organisations} | {line.name for line in members.nodes}


# --- invitations


async def test_an_invitation_lets_one_organisation_in(four: Town, tmp_path: Path) -> None:
    token = await invited(four, GATEWAY)
    first, second = create(tmp_path, "first"), create(tmp_path, "second")
    ran = await trio.to_thread.run_sync(lambda: maillon("--dir", first, "federation", "join", token, "--json"))
    assert ran.code == 0, ran.err
    assert not json.loads(ran.out)["admitted"]
    ran = await trio.to_thread.run_sync(lambda: maillon("--dir", second, "federation", "join", token))
    assert ran.code == CODES["refused"]
    assert "invitation" in ran.err
    with pytest.raises(Refused, match="invitation-used"):
        await join_federation(second, token)
    assert not (second / "membership").exists()
    with pytest.raises(Refused, match="already-in-a-federation"):
        await join_federation(first, await invited(four, GATEWAY))
    assert "second" not in await names_known_to(four, GATEWAY)


async def test_an_invitation_that_expired_lets_nobody_in(four: Town, tmp_path: Path) -> None:
    late = create(tmp_path, "late")
    expired = written_by(four.dir(GATEWAY), four.node(GATEWAY).address, expires_s=1_700_000_000)
    with pytest.raises(Refused, match="invitation-expired"):
        await join_federation(late, encode_invitation_text(expired))
    assert "late" not in await names_known_to(four, GATEWAY)


async def test_an_invitation_to_another_federation_opens_no_door_here(four: Town, tmp_path: Path) -> None:
    """Neither at the handshake, nor when a newcomer names this federation and shows the other's invitation."""
    other = FederationId(Digest(b"another federation".ljust(32)))
    astray = create(tmp_path, "astray")
    address = four.node(GATEWAY).address
    foreign = written_by(four.dir(GATEWAY), address, federation=other, expires_s=LATER_S)
    with pytest.raises(Refused, match="federation-other"):
        await join_federation(astray, encode_invitation_text(foreign))
    assert await shown(four, astray, foreign) == "invitation-federation"
    assert "astray" not in await names_known_to(four, GATEWAY)


async def test_an_invitation_of_another_member_or_with_a_changed_word_opens_no_door(
    four: Town, tmp_path: Path
) -> None:
    sly = create(tmp_path, "sly")
    address = four.node(GATEWAY).address
    mine = written_by(four.dir(GATEWAY), address, expires_s=LATER_S)
    others = written_by(four.dir("n2"), address, expires_s=LATER_S)
    assert await shown(four, sly, others) == "invitation-inviter"
    assert await shown(four, sly, replace(mine, expires_s=LATER_S + 1)) == "invitation"
    token = encode_invitation_text(mine)
    with pytest.raises(Malformed, match="invitation-text"):
        await join_federation(sly, token[:-3] + ("aaa" if token[-3:] != "aaa" else "bbb"))
    assert "sly" not in await names_known_to(four, GATEWAY)


async def shown(four: Town, newcomer: Path, invitation: Invitation) -> str:
    """What the gateway says to this invitation from a newcomer that is otherwise well behaved."""
    federation = identity_of(four.dir(GATEWAY)).federation
    made = newcomer_of(newcomer, NodeFolder(real_host(newcomer).disk, str(newcomer)))
    entry = entry_for(made, federation, invitation=invitation_id(invitation))
    question = Join(encode_invitation(invitation), tuple(encode_record(record) for record in entry.records))
    with pytest.raises(MaillonError) as caught:
        async with visiting(four.node(GATEWAY).address, Identity(federation, made.node_key), Role.JOINER) as guest:
            await guest.ask(Kind.JOIN, question, PushRecords, deadline_s=DEADLINE_S)
    return caught.value.identifier


# --- records


@dataclass(frozen=True, slots=True)
class LoosePush:
    """PUSH_RECORDS as somebody would write it who knows no bounds."""

    WIRE_VERSION: ClassVar[int] = 1
    records: tuple[Annotated[bytes, Length(0, 200_000)], ...]


async def test_records_that_are_forged_too_large_or_a_strangers_are_not_kept(four: Town, tmp_path: Path) -> None:
    member = identity_of(four.dir("n3"))
    stranger = Party(99)
    card = stranger.node_card(member.federation)
    forged = replace(sign_record(member.key, member.federation, 77, 1, member.node, b"hello"), signature=bytes(64))
    elsewhere = sign_record(member.key, FederationId(Digest(bytes(32))), 77, 1, member.node, b"hello")
    async with visiting(four.node(GATEWAY).address, member) as visitor:

        async def push(*records: bytes) -> None:
            await visitor.ask(Kind.PUSH_RECORDS, LoosePush(records), Done, deadline_s=DEADLINE_S)

        with pytest.raises(Forged, match="signature"):
            await push(encode_record(forged))
        with pytest.raises(Refused, match="record-federation"):
            await push(encode_record(elsewhere))
        with pytest.raises(OverLimit):
            await push(bytes(RECORD_BYTES_MAX + 1))
        with pytest.raises(OverLimit, match="message-depth"):
            await push(b"\x91" * 2_000)
        with pytest.raises(Malformed):
            await push(b"\xc1")
        await push(encode_record(card))  # unknown authors may become known: no error, and nothing is kept
        await visitor.ask(Kind.PING, Ping(()), Ping, deadline_s=DEADLINE_S)
    known = set((await view_of(four.dir(GATEWAY))).ids())
    assert known.isdisjoint({record_id(record) for record in (card, forged, elsewhere)})
    # What is lawful still spreads to everybody; what is not is nowhere.
    welcome = create(tmp_path, "welcome")
    await join_federation(welcome, await invited(four, GATEWAY))
    for name in four.names:

        async def knows(name: str = name) -> bool:
            return "welcome" in await names_known_to(four, name)

        await eventually(knows, f"{name} knows the newcomer")
        async with four.client(name) as client:
            nodes = {line.id for line in (await members_of(client)).nodes}
        assert stranger.node not in nodes


# --- a member that moved


async def test_a_member_that_comes_back_at_another_address_is_found(four: Town) -> None:
    before = four.node("n3")
    await four.kill("n3")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = Path(before.dir) / "maillon.toml"
    config.write_text(config.read_text().replace(before.address, address))
    save_book(four.folder, load_book(four.folder).replaced(replace(before, address=address)))
    await four.start("n3")
    for name in four.names:

        async def knows(name: str = name) -> bool:
            async with four.client(name) as client:
                nodes = (await members_of(client)).nodes
            return [line.addresses for line in nodes if line.name == "n3"] == [(address,)]

        await eventually(knows, f"{name} knows where n3 is")
    await four.see_live("n3", by=(GATEWAY, "n2"))


# --- ten puppets, and the end of their master


def enlist(four: Town, name: str, folder: Path) -> DevNode:
    """Put a node that joined into the devnet's book, so that it can be started."""
    address = next(line for line in (folder / "maillon.toml").read_text().splitlines() if line.startswith("listen"))
    node = DevNode(
        name, text_of(identity_of(folder).node), name, name, 0, str(folder), address.partition('"')[2].rstrip('"')
    )
    book = load_book(four.folder)
    save_book(four.folder, replace(book, nodes=(*book.nodes, node)))
    return node


async def test_ten_puppets_of_one_organisation_hold_no_more_than_it_alone_may(four: Town) -> None:
    kept = some_bytes(1, 500_000)
    await four.put("puppets/before", kept)
    for name in PUPPETS:
        folder = create(four.folder, name)
        await join_federation(folder, await invited(four, SPONSOR))
        enlist(four, name, folder)
    await four.start(*PUPPETS)
    await four.see(4 + len(PUPPETS), by=(GATEWAY,))
    status = await four.status(GATEWAY)
    assert (status.code, status.organisations) == ("2-of-4", 4)
    objects = {f"puppets/{number}": some_bytes(number, 300_000) for number in range(12)}
    crew = {SPONSOR, *PUPPETS}
    held = 0
    for key, data in objects.items():
        await four.put(key, data)
        (block,) = await four.blocks(key)
        inside = [share for share in block.shares if share.name in crew]
        assert len(inside) <= 2
        assert all(share.most_in_organisation == 2 and not share.objection for share in inside)
        held += len(inside)
    assert held  # or the test would say nothing
    await four.kill(*crew)
    for key, data in objects.items():
        assert await four.get(key) == data
    await four.start(SPONSOR, PUPPETS[0])
    with pytest.raises(Refused, match="no-vote"):
        async with four.client(PUPPETS[0]) as client:
            await client.call(EXPEL, Expel("org1"))


async def test_an_expelled_organisation_is_cut_off(four: Town) -> None:
    await four.see_live(SPONSOR, by=("n1", "n2", "n3"))
    heard = {name: four.listen(name) for name in ("n1", "n2", "n3")}
    for name in heard:
        async with four.client(name) as client:
            await client.call(EXPEL, Expel("org4"))
    for listening in heard.values():
        await listening.wait("peer-cut-off", "node-expelled")
    for name in heard:
        assert not {SPONSOR, "org4"} & await names_known_to(four, name)
    expelled = identity_of(four.dir(SPONSOR))
    for name in heard:
        with pytest.raises(Refused, match="node-expelled"):
            async with visiting(four.node(name).address, expelled):
                pass
    data = some_bytes(2, 500_000)
    await four.put("after", data)
    (block,) = await four.blocks("after")
    assert {share.name for share in block.shares} == set(heard)
    assert await four.get("after") == data
    assert await four.get("puppets/before") == some_bytes(1, 500_000)
