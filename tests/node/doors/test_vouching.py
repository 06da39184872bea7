"""A bucket is shared with a key that another gateway knows: that one vouches for the program at who has the bucket.

Two gateways of one organisation, each with the S3 application over a vault in memory, and a real connection between.
Programs knock at the one that knows THEIRKEY; the bucket `box` is the other's.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from trio.testing import MockClock

from node.doors.passed import PassedRequests, Served
from node.doors.passing import Passing, Standing
from node.doors.vouching import Vouching
from node.http.asgi import Scope, Send
from node.net.connection import Connection, dispatch
from node.s3.asking.settings import S3Settings
from node.s3.door import Door
from protocol.errors import MaillonError, Refused, Unavailable
from protocol.ids import NamespaceId, NodeId, text_of
from protocol.kinds import Kind
from protocol.passing import GatewayAnswer, GatewayPass, HttpField, Voucher
from sim.host.world import World
from tests.support.connections import ALICE, BOB, connected
from tests.support.http import RawClient, Response, answer, serving
from tests.support.s3_door import RealWall
from tests.support.s3_memory import MemoryVault
from tests.support.s3_signer import Signer

HERE, THERE = NodeId(ALICE.public), NodeId(BOB.public)
SETTINGS = S3Settings(domains=("s3.example.org",))
UNSIGNED = "UNSIGNED-PAYLOAD"
SIGNED_PIECES = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"


@dataclass
class Mesh:
    """The sibling, at the other end of a connection."""

    connection: Connection
    is_silent: bool = False
    asked: list[object] = field(default_factory=list)

    async def ask(self, node: NodeId, kind: Any, message: object, reply: Any, *, deadline_s: float) -> Any:
        self.asked.append(message)
        if self.is_silent:
            raise Unavailable("node-unreachable", node=node)
        return await self.connection.ask(kind, message, reply, deadline_s=deadline_s)

    @asynccontextmanager
    async def open(self, node: NodeId, kind: Any, message: object, *, deadline_s: float) -> AsyncIterator[Any]:
        async with self.connection.open(kind, message) as asking:
            yield asking


@dataclass
class Place:
    """What one of the gateways has."""

    vault: MemoryVault
    others: Sequence[NodeId]

    def standing(self, access_key: str, bucket: str) -> Standing:
        has_it = access_key in self.vault.known if access_key else bool(self.vault.shelves_with(bucket))
        return Standing.WRITER if has_it else Standing.STRANGER

    def answers(self, node: NodeId) -> bool:
        return True

    def siblings(self) -> Sequence[NodeId]:
        return self.others

    def bucket_of(self, scope: Scope) -> str:
        return ""


@dataclass
class Town:
    """Both gateways: the one that is asked knows THEIRKEY, the other one knows OURKEY and has `box`."""

    here: MemoryVault
    there: MemoryVault
    client: RawClient
    mesh: Mesh
    # Who writes the namespace of a key, as all members see it.
    writers: dict[NamespaceId, NodeId]

    @property
    def theirs(self) -> NamespaceId:
        return self.here.shelf("theirs").id

    async def share(self, *actions: str, principal: str | None = None, bucket: str = "box") -> bytes:
        """The bucket lets the namespace `theirs` do this, by this policy."""
        who = f"arn:aws:iam::{text_of(self.theirs)}:root" if principal is None else principal
        resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
        told = {"Effect": "Allow", "Principal": {"AWS": who}, "Action": list(actions), "Resource": resources}
        document = json.dumps({"Version": "2012-10-17", "Statement": [told]}).encode()
        await self.there.shelf("ours").buckets.set_document(bucket, "policy", document)
        return document

    async def vouch(self, target: str, key_id: str) -> int:
        """What comes of a request that is signed so, with a voucher for THEIRKEY at `box`."""
        signer = Signer("GET", target, UNSIGNED, {}, key_id=key_id, secret="a guess")
        fields = tuple(HttpField(name.encode(), text.encode()) for name, text in signer.headers.items())
        question = GatewayPass(
            method="GET", path=target.encode(), query=b"", is_secure=True, client="", fields=fields,
            voucher=Voucher(self.theirs, "THEIRKEY", False, "box", b""),
        )  # fmt: skip
        async with self.mesh.open(THERE, Kind.GATEWAY_PASS, question, deadline_s=5) as asking:
            await asking.finish()
            status = (await asking.reply(GatewayAnswer)).status
            assert await asking.receive_some(memoryview(bytearray(1_000)))
        return status

    async def ask(
        self, method: str, target: str, body: bytes = b"", *, key_id: str = "THEIRKEY", **headers: str
    ) -> Response:
        """One request, signed with the key."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        signer = Signer(method, target, UNSIGNED, named, key_id=key_id)
        return await self.send(method, target, signer.headers, body)

    async def send(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Response:
        lines = [f"{name}: {text}" for name, text in headers.items()]
        head = "\r\n".join([f"{method} {target} HTTP/1.1", *lines, f"content-length: {len(body)}", "", ""])
        return await self.client.ask(head.encode("latin-1") + body)


async def refuse(scope: Scope, send: Send, error: MaillonError) -> None:
    await answer(send, 503, str(error.parameters.get("code", error.identifier)).encode())


def door_of(vault: MemoryVault, name: str) -> Door:
    return Door(vault, dataclasses.replace(World(1).host(name), wall=RealWall()), SETTINGS)


@asynccontextmanager
async def two_gateways() -> AsyncIterator[Town]:
    here, there = MemoryVault(), MemoryVault()
    here.add_key("theirs", "THEIRKEY")
    there.add_key("ours", "OURKEY")
    await there.shelf("ours").buckets.create("box")
    writers, passed, door = {here.shelf("theirs").id: HERE}, PassedRequests(), door_of(there, "there")
    standing = Place(there, [HERE]).standing
    passed.open(Served(door, door, standing, lambda _node: True, writers.get))
    async with connected(dispatch(passed.handlers())) as (near, _far):
        mesh, place = Mesh(near), Place(here, [THERE])
        own = Vouching(door_of(here, "here"), place, mesh, refuse)
        async with serving(Passing(own, place, mesh, refuse)) as served:
            yield Town(here, there, await served.client(), mesh, writers)


async def test_a_program_does_what_the_bucket_lets_its_namespace_do(autojump_clock: MockClock) -> None:
    async with two_gateways() as town:
        await town.share("s3:PutObject", "s3:GetObject", "s3:ListBucket")
        body = bytes(range(256)) * 1_000
        assert (await town.ask("PUT", "/box/a%20b", body)).status == 200
        found = await town.ask("GET", "/box/a%20b", range="bytes=1-9")
        assert (found.status, found.body) == (206, body[1:10])
        assert b"<Key>a b</Key>" in (await town.ask("GET", "/box?list-type=2")).body
        assert (await town.ask("DELETE", "/box/a%20b")).status == 403
        assert (await town.ask("GET", "/box?policy")).status == 403


async def test_nothing_is_shared_by_itself(autojump_clock: MockClock) -> None:
    async with two_gateways() as town:
        for method, target in (("GET", "/box"), ("GET", "/box/k"), ("PUT", "/box/k"), ("DELETE", "/box")):
            assert (await town.ask(method, target)).status == 403, target


async def test_one_key_of_the_namespace_may_be_meant_alone(autojump_clock: MockClock) -> None:
    async with two_gateways() as town:
        town.here.add_key("theirs", "OTHERKEY")
        await town.share("s3:PutObject", principal=f"arn:aws:iam::{text_of(town.theirs)}:user/OTHERKEY")
        assert (await town.ask("PUT", "/box/k", b"x")).status == 403
        assert (await town.ask("PUT", "/box/k", b"x", key_id="OTHERKEY")).status == 200


async def test_a_name_means_a_namespace_of_the_buckets_own_gateway_alone(autojump_clock: MockClock) -> None:
    """Another gateway may call one of its namespaces so too."""
    async with two_gateways() as town:
        await town.share("s3:GetObject", principal="arn:aws:iam::theirs:root")
        assert (await town.ask("GET", "/box/k")).status == 403


async def test_chunks_that_are_signed_one_by_one_are_checked(autojump_clock: MockClock) -> None:
    async with two_gateways() as town:
        await town.share("s3:PutObject", "s3:GetObject")
        said = {"x-amz-decoded-content-length": "6"}
        for forged, status in ((b"def", 200), (b"dxf", 403)):
            signer = Signer("PUT", "/box/k", SIGNED_PIECES, said, key_id="THEIRKEY")
            body = signer.pieces(b"abc", b"def").replace(b"def\r\n", forged + b"\r\n")
            assert (await town.send("PUT", "/box/k", signer.headers, body)).status == status
        assert (await town.ask("GET", "/box/k")).body == b"abcdef"


async def test_the_gateway_of_the_key_asks_whether_the_signature_is_right(autojump_clock: MockClock) -> None:
    async with two_gateways() as town:
        await town.share("s3:GetObject")
        forged = Signer("GET", "/box/k", UNSIGNED, {}, key_id="THEIRKEY", secret="a guess")
        assert b"SignatureDoesNotMatch" in (await town.send("GET", "/box/k", forged.headers)).body
        assert not town.mesh.asked


async def test_keys_for_reading_and_keys_for_one_bucket_are_no_more_than_that(autojump_clock: MockClock) -> None:
    async with two_gateways() as town:
        await town.share("s3:PutObject", "s3:GetObject")
        town.here.add_key("theirs", "READER", read_only=True)
        town.here.add_key("theirs", "NARROW", bucket="mine")
        assert (await town.ask("PUT", "/box/k", b"x")).status == 200
        assert (await town.ask("GET", "/box/k", key_id="READER")).status == 200
        assert (await town.ask("PUT", "/box/k", b"y", key_id="READER")).status == 403
        assert (await town.ask("GET", "/box/k", key_id="NARROW")).status in (403, 404)


async def test_what_the_namespace_has_itself_comes_first(autojump_clock: MockClock) -> None:
    async with two_gateways() as town:
        await town.here.shelf("theirs").buckets.create("box")
        await town.share("s3:PutObject")
        assert (await town.ask("PUT", "/box/k", b"x")).status == 200
        assert (await town.ask("GET", "/box/k")).body == b"x"
        assert not town.mesh.asked


async def test_a_bucket_that_nobody_has_is_missing_and_may_be_made(autojump_clock: MockClock) -> None:
    async with two_gateways() as town:
        assert b"NoSuchBucket" in (await town.ask("GET", "/new/k")).body
        town.mesh.is_silent = True  # a gateway that is away does not keep others from making theirs
        assert (await town.ask("HEAD", "/newer")).status == 404
        assert (await town.ask("PUT", "/newer")).status == 200
        assert b"NoSuchBucket" in (await town.ask("GET", "/" + "n" * 64)).body


async def test_a_bucket_that_was_found_is_waited_for_when_its_gateway_is_silent(autojump_clock: MockClock) -> None:
    async with two_gateways() as town:
        await town.share("s3:PutObject")
        assert (await town.ask("PUT", "/box/k", b"x")).status == 200
        town.mesh.is_silent = True
        town.there.shelf("ours").of.clear()  # it has not opened the namespace yet
        found = await town.ask("PUT", "/box/k", b"x")
        assert (found.status, found.body) == (503, b"gateway-not-ready")
        found = await town.ask("PUT", "/box/k", b"x")
        assert (found.status, found.body) == (503, b"gateway-not-ready")


async def test_nobody_vouches_for_keys_of_namespaces_that_he_does_not_write(autojump_clock: MockClock) -> None:
    async with two_gateways() as town:
        await town.share("s3:GetObject")
        for namespace in (town.there.shelf("ours").id, NamespaceId(bytes(32))):
            question = GatewayPass(
                method="GET", path=b"/box", query=b"", is_secure=True, client="", fields=(HttpField(b"host", b"a"),),
                voucher=Voucher(namespace, "THEIRKEY", False, "box", b""),
            )  # fmt: skip
            with pytest.raises(Refused, match="voucher-not-its-own"):
                await town.mesh.connection.ask(Kind.GATEWAY_PASS, question, GatewayAnswer, deadline_s=5)
        town.writers.clear()
        assert (await town.ask("GET", "/box/k")).status == 503


async def test_a_voucher_is_for_one_key(autojump_clock: MockClock) -> None:
    async with two_gateways() as town:
        await town.share("s3:GetObject")
        assert await town.vouch("/box/k", "THEIRKEY") == 404
        assert await town.vouch("/box/k", "OURKEY") == 403


async def test_a_voucher_is_for_one_bucket(autojump_clock: MockClock) -> None:
    """A gateway that was not told a domain of the other one's would take the first word of the key for the bucket."""
    async with two_gateways() as town:
        await town.there.shelf("ours").buckets.create("other")
        await town.share("s3:GetObject", bucket="other")
        assert await town.vouch("/other/k", "THEIRKEY") == 400


async def test_what_is_followed_here_is_read_here_while_the_gateway_of_the_key_is_silent(
    autojump_clock: MockClock,
) -> None:
    """Both namespaces are followed. The bucket's gateway answers, and would not believe this one's word."""
    async with two_gateways() as town:
        town.here.add_key("ours", "OURKEY")
        for name in ("theirs", "ours"):
            town.here.shelf(name).is_written_here = False
        await town.here.shelf("ours").buckets.create("box")
        town.writers.clear()
        policy = await town.share("s3:ListBucket")
        await town.here.shelf("ours").buckets.set_document("box", "policy", policy)
        assert (await town.ask("GET", "/box?list-type=2")).status == 200


async def test_a_namespace_that_is_called_like_anothers_id_is_not_that_one(autojump_clock: MockClock) -> None:
    async with two_gateways() as town:
        await town.share("s3:ListBucket")
        town.there.add_key(text_of(town.theirs), "IMPOSTOR")
        assert (await town.ask("GET", "/box?list-type=2", key_id="IMPOSTOR")).status == 403
        assert (await town.ask("GET", "/box?list-type=2")).status == 200


async def test_who_expects_the_bucket_to_be_its_own_is_not_taken_to_another_gateways(
    autojump_clock: MockClock,
) -> None:
    """There too a namespace may be called `theirs`."""
    async with two_gateways() as town:
        namesake = town.there.add("theirs")
        await namesake.buckets.create("theirbox")
        policy = (await town.share("s3:PutObject")).replace(b"s3:::box", b"s3:::theirbox")
        await namesake.buckets.set_document("theirbox", "policy", policy)
        put = await town.ask("PUT", "/theirbox/k", b"x", x_amz_expected_bucket_owner="theirs")
        assert b"NoSuchBucket" in put.body
        assert (await town.ask("PUT", "/theirbox/k", b"x")).status == 200


async def test_a_copy_is_never_made_of_a_namesake_of_the_bucket_that_was_meant(autojump_clock: MockClock) -> None:
    async with two_gateways() as town:
        await town.share("s3:PutObject", "s3:GetObject")
        await town.there.shelf("ours").buckets.create("common")
        await town.share("s3:PutObject", "s3:GetObject", bucket="common")
        for bucket in ("box", "common"):
            assert (await town.ask("PUT", f"/{bucket}/k", b"theirs")).status == 200
        assert (await town.ask("PUT", "/box/copy", x_amz_copy_source="/common/k")).status == 200
        await town.here.shelf("theirs").buckets.create("common")
        assert (await town.ask("PUT", "/common/k", b"mine")).status == 200
        refused = await town.ask("PUT", "/box/copy", x_amz_copy_source="/common/k")
        assert (refused.status, refused.body) == (503, b"NotImplemented")
        missing = await town.ask("PUT", "/nobodys/copy", x_amz_copy_source="/common/k")
        assert b"NoSuchBucket" in missing.body
