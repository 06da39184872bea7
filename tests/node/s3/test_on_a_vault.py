"""The door on a real vault, in a federation of the small world: what its promises stand on, and what they cost when
members are away."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import pytest
import trio

from node.admin import s3_keys
from node.admin.s3_calls import S3KeyCreate, S3KeyList, S3KeyRevoke
from node.admin.services import Services
from node.s3.asking.settings import S3Settings
from node.s3.door import Door
from sim.host.world import START_S
from tests.support import township
from tests.support.processes import some_bytes
from tests.support.s3_door import Response, ask
from tests.support.s3_signer import Signer
from tests.support.shelves import refused
from tests.support.township import Township, in_a_township

KEY, SECRET = "KEYOFTHETEST", "a secret of the test"
LARGE = some_bytes(1, 5 * 2**20 + 100_000)


@dataclass(frozen=True, slots=True)
class Program:
    """A program with a key, which asks n1."""

    town: Township

    async def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> Response:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        hashed = hashlib.sha256(body).hexdigest()
        at_s = START_S + int(trio.current_time())
        signer = Signer(method, target, hashed, named, at_s=at_s, key_id=KEY, secret=SECRET)
        lines = {**signer.headers, "content-length": str(len(body))}

        async def serve(services: Services) -> Response:
            return await ask(Door(services.vault, services.host, S3Settings()), method, target, lines, body)

        return await self.town.on(1, serve)


async def settle(town: Township, size: int) -> Program:
    await town.settle(size)

    async def create_key(services: Services) -> None:
        await services.vault.shelf(None).keys.create(given=(KEY, SECRET))

    await town.on(1, create_key)
    program = Program(town)
    assert (await program.ask("PUT", "/box")).status == 200
    return program


def test_what_is_put_is_listed_read_in_parts_and_deleted() -> None:
    async def live(town: Township) -> None:
        program = await settle(town, 4)
        for key, data in (("small", b"small"), ("dir/large", LARGE), ("empty", b"")):
            put = await program.ask("PUT", f"/box/{key}", data, x_amz_meta_n="1")
            assert put.headers["etag"] == f'"{hashlib.md5(data).hexdigest()}"'
            found = await program.ask("GET", f"/box/{key}")
            assert (found.body, found.headers["x-amz-meta-n"]) == (data, "1")
        found = await program.ask("GET", "/box/dir/large", range="bytes=5242879-5242882")
        assert (found.status, found.body) == (206, LARGE[5242879:5242883])
        listed = await program.ask("GET", "/box?delimiter=%2F&list-type=2")
        assert re.findall("<(?:Key|Prefix)>([^<]+)<", listed.text) == ["empty", "small", "dir/"]
        assert (await program.ask("DELETE", "/box/small")).status == 204
        assert (await program.ask("GET", "/box/small")).status == 404

    in_a_township(live)


def test_parts_become_an_object_without_moving_a_byte() -> None:
    async def live(town: Township) -> None:
        program = await settle(town, 3)
        begun = await program.ask("POST", "/box/k?uploads=")
        upload = re.findall("<UploadId>(.*)</UploadId>", begun.text)[0]
        parts = (LARGE[: 5 * 2**20], LARGE[5 * 2**20 :])
        listed = ""
        for number, data in enumerate(parts, 1):
            put = await program.ask("PUT", f"/box/k?partNumber={number}&uploadId={upload}", data)
            listed += f"<Part><PartNumber>{number}</PartNumber><ETag>{put.headers['etag']}</ETag></Part>"
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        assert (await program.ask("POST", f"/box/k?uploadId={upload}", body)).status == 200
        found = await program.ask("GET", "/box/k")
        assert found.body == LARGE
        assert found.headers["etag"].endswith('-2"')

    in_a_township(live)


def test_of_many_who_write_one_key_at_once_one_wins_and_nothing_is_mixed() -> None:
    async def live(town: Township) -> None:
        program = await settle(town, 3)
        written = [some_bytes(number, 70_000) for number in range(6)]
        won: list[bytes] = []

        async def write(data: bytes) -> None:
            status = (await program.ask("PUT", "/box/k", data, if_none_match="*")).status
            assert status in (200, 412)
            if status == 200:
                won.append(data)

        async with trio.open_nursery() as nursery:
            for data in written:
                nursery.start_soon(write, data)
        assert len(won) == 1
        assert (await program.ask("GET", "/box/k")).body == won[0]

    in_a_township(live)


def test_a_revoked_key_stops_at_once_and_members_that_are_away_are_named() -> None:
    async def live(town: Township) -> None:
        program = await settle(town, 3)
        town.kill(2)
        town.kill(3)
        refused = await program.ask("PUT", "/box/k", LARGE)
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert "<Code>SlowDown</Code>" in refused.text
        await town.start(2)
        await town.start(3)
        await town.until_open()

        async def revoke(services: Services) -> None:
            await services.vault.shelf(None).keys.revoke(KEY)

        await town.on(1, revoke)
        assert "<Code>InvalidAccessKeyId</Code>" in (await program.ask("GET", "/box")).text

    in_a_township(live)


def test_a_full_federation_says_slow_down_and_who_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(township, "ADMITTED_BYTES", 3 * 2**20)

    async def live(town: Township) -> None:
        program = await settle(town, 3)
        refused = await program.ask("PUT", "/box/large", LARGE)
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert "<Code>SlowDown</Code>" in refused.text
        assert "n2: quota-reached" in refused.text
        assert (await program.ask("GET", "/box/large")).status == 404
        assert (await program.ask("PUT", "/box/small", b"x")).status == 200

    in_a_township(live)


def test_a_key_is_made_for_what_is_there_and_listed_without_its_secret() -> None:
    async def live(town: Township) -> None:
        await settle(town, 3)
        await town.on(1, lambda services: services.vault.create_namespace("others"))
        await town.on(1, _make_keys)

    in_a_township(live)


async def _make_keys(services: Services) -> None:
    for question, why in (
        (S3KeyCreate("nowhere", "", False, "", ""), "namespace-missing"),
        (S3KeyCreate("photos", "nowhere", False, "", ""), "bucket-missing"),
        (S3KeyCreate("photos", "", False, "ONLYHALF", ""), "key-halves"),
        (S3KeyCreate("photos", "", False, KEY, "another secret"), "key-exists"),
        (S3KeyCreate("others", "", False, KEY, "another secret"), "key-exists"),
    ):
        assert await refused(s3_keys.create(services, question)) == why
    made = await s3_keys.create(services, S3KeyCreate("photos", "box", True, "", ""))
    listed = (await s3_keys.keys(services, S3KeyList("photos", 0))).lines
    assert {line.access_key: (line.bucket, line.read_only) for line in listed} == {
        KEY: ("", False),
        made.access_key: ("box", True),
    }
    assert made.secret_key not in repr(listed)
    await s3_keys.revoke(services, S3KeyRevoke(made.access_key))
    assert await refused(s3_keys.revoke(services, S3KeyRevoke(made.access_key))) == "key-unknown"
