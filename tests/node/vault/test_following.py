"""A second gateway follows the first: it reads what is acknowledged, a moment later, until it takes over."""

from __future__ import annotations

import pytest
import trio

from node.vault.catalog.catalog import Catalog, CatalogTip
from node.vault.sheet import Sheet, read_sheet
from protocol.errors import MaillonError, Missing, Refused, Unavailable
from tests.support.rotating import follow
from tests.support.township import Township, in_a_township, node_of

SECOND = 3
SMALL, LARGE = b"in the journal", bytes(300_000)


async def settle(township: Township) -> Sheet:
    """Four members, a namespace at n1 that n3 follows, and an object of each kind."""
    await township.grow(4)
    created = await township.on(1, lambda services: services.vault.create_namespace("photos"))
    for key, data in (("small", SMALL), ("large", LARGE)):
        await township.client().put(key, data)
    sheet = read_sheet(created.sheet)
    await follow(township, sheet, SECOND)
    return sheet


async def until_read(township: Township, key: str, data: bytes) -> float:
    """How long it took until n3 showed the object as it is."""
    began_s = trio.current_time()
    with trio.fail_after(60):
        while True:
            try:
                if await township.client(SECOND).get(key) == data:
                    return trio.current_time() - began_s
            except (Missing, Unavailable, Refused):
                pass
            await trio.sleep(0.1)


async def put_at_last(township: Township, number: int, key: str, data: bytes) -> None:
    """Put as a client does that tries again for as long as it is told to."""
    with trio.fail_after(5):
        while True:
            try:
                return await township.client(number).put(key, data)
            except Unavailable:
                await trio.sleep(0.1)


def test_it_reads_what_was_and_what_comes_and_writes_nothing() -> None:
    async def main(township: Township) -> None:
        await settle(township)
        reader = township.client(SECOND)
        assert (await reader.get("small"), await reader.get("large")) == (SMALL, LARGE)
        await township.client().put("later", b"written after it began")
        assert await until_read(township, "later", b"written after it began") < 3
        await township.client().remove("small")
        await trio.sleep(3)
        with pytest.raises(Missing, match="object-missing"):
            await reader.get("small")
        with pytest.raises(Refused, match="namespace-followed") as caught:
            await reader.put("mine", b"not here")
        assert caught.value.parameters["gateway"]
        (status,) = await reader.namespaces()
        assert status.problem is not None
        assert status.problem.identifier == "namespace-followed"
        assert (status.objects, status.size_bytes) == (2, len(LARGE) + len("written after it began"))

    in_a_township(main)


def test_it_goes_on_across_epochs_and_its_own_restarts() -> None:
    async def main(township: Township) -> None:
        await settle(township)
        township.kill(SECOND)
        township.kill(1)
        await township.start(1)
        await township.until_open()
        await township.client().put("small", b"of the next epoch")
        await township.start(SECOND)
        await until_read(township, "small", b"of the next epoch")
        township.kill(1)
        await township.start(1)
        await township.until_open()
        await township.client().put("small", b"of the one after")
        await until_read(township, "small", b"of the one after")
        assert await township.client(SECOND).get("large") == LARGE

    in_a_township(main)


def test_told_to_take_over_it_writes_and_the_first_is_fenced() -> None:
    async def main(township: Township) -> None:
        await settle(township)
        await township.on(SECOND, lambda services: services.vault.take_over("photos"))
        await township.client(SECOND).put("small", b"written by the second")
        assert await township.client(SECOND).get("small") == b"written by the second"
        with pytest.raises(MaillonError):
            await township.client().put("small", b"written by the first")
        assert await township.client(SECOND).get("large") == LARGE

    in_a_township(main)


def test_told_to_take_over_while_its_catalog_is_being_opened_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = trio.Event()

    async def open_slowly(catalog: Catalog) -> CatalogTip:
        begun.set()
        await trio.sleep(1)
        return await opens(catalog)

    opens = Catalog.open

    async def main(township: Township) -> None:
        await settle(township)
        township.kill(SECOND)
        monkeypatch.setattr(Catalog, "open", open_slowly)
        await township.start(SECOND)
        await begun.wait()
        await township.on(SECOND, lambda services: services.vault.take_over("photos"))
        await township.client(SECOND).put("small", b"written by the second")

    in_a_township(main)


def test_handed_over_it_writes_within_seconds_and_the_first_follows() -> None:
    async def main(township: Township) -> None:
        await settle(township)
        began_s = trio.current_time()
        await township.on(1, lambda services: services.vault.move("photos", node_of(SECOND)))
        assert trio.current_time() - began_s < 5
        await put_at_last(township, SECOND, "small", b"written by the second")
        with pytest.raises(Refused, match="namespace-followed"):
            await township.client().put("small", b"not here")
        await trio.sleep(3)
        assert await township.client().get("small") == b"written by the second"
        await township.on(SECOND, lambda services: services.vault.move("photos", node_of(1)))
        await put_at_last(township, 1, "small", b"and back")
        assert await until_read(township, "small", b"and back") < 3

    in_a_township(main)


def test_handed_to_nobody_who_follows_it_is_taken_back() -> None:
    async def main(township: Township) -> None:
        await settle(township)
        with pytest.raises(Unavailable, match="namespace-not-moved"):
            await township.on(1, lambda services: services.vault.move("photos", node_of(2)))
        await township.client().put("small", b"still written here")
        with pytest.raises(Refused, match="namespace-here"):
            await township.on(1, lambda services: services.vault.move("photos", node_of(1)))

    in_a_township(main)


def test_cut_off_from_the_holders_it_serves_nothing_that_may_be_old() -> None:
    async def main(township: Township) -> None:
        await settle(township)
        for number in (1, 2, 4):
            township.kill(number)
        await trio.sleep(16)
        with pytest.raises(Unavailable, match="namespace-behind"):
            await township.client(SECOND).get("small")

    in_a_township(main)


def test_it_is_told_to_follow_only_once_and_the_writer_never() -> None:
    async def main(township: Township) -> None:
        sheet = await settle(township)
        with pytest.raises(Refused, match="namespace-followed"):
            await follow(township, sheet, SECOND)
        with pytest.raises(Refused, match="namespace-here"):
            await follow(township, sheet, 1)

    in_a_township(main)


def test_who_was_fenced_can_be_told_to_follow_and_to_take_over_again() -> None:
    async def main(township: Township) -> None:
        sheet = await settle(township)
        await township.on(SECOND, lambda services: services.vault.take_over("photos"))
        await trio.sleep(3)
        with pytest.raises(Refused, match="namespace-superseded") as caught:
            await township.client().get("small")
        assert caught.value.parameters["namespace"] == "photos"
        await follow(township, sheet, 1)
        assert await township.client().get("small") == SMALL
        await township.client(SECOND).put("small", b"written by the second")
        await trio.sleep(3)
        assert await township.client().get("small") == b"written by the second"
        await township.on(SECOND, lambda services: services.vault.move("photos", node_of(1)))
        await put_at_last(township, 1, "small", b"and back")

    in_a_township(main)

    in_a_township(main)


def test_asked_to_hand_over_what_another_writes_it_refuses_and_does_not_take_it() -> None:
    async def main(township: Township) -> None:
        await settle(township)
        with pytest.raises(Refused, match="namespace-followed"):
            await township.on(SECOND, lambda services: services.vault.move("photos", node_of(1)))
        await township.on(SECOND, lambda services: services.vault.take_over("photos"))
        await trio.sleep(5)
        with pytest.raises(Refused, match="namespace-superseded"):
            await township.on(1, lambda services: services.vault.move("photos", node_of(SECOND)))
        await trio.sleep(5)
        await put_at_last(township, SECOND, "small", b"still written by the second")

    in_a_township(main)
