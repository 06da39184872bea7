"""Bad disks of real nodes: syncs that fail, disks that are full, files that are cut short, changed or gone."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from protocol.errors import MaillonError, Unavailable
from protocol.limits import MIB
from tests.support.processes import GATEWAY, Town, flip, names_in, some_bytes

pytestmark = pytest.mark.processes

SIZE_BYTES = 600_000


def volumes_of(six: Town, name: str) -> list[Path]:
    return sorted((six.dir(name) / "volumes").rglob("*.volume"))


def the_file(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


# --- what the disk refuses


@pytest.mark.parametrize(
    "faults", ["disk.sync.volumes=EIO@1+", "disk.write.volumes=ENOSPC@1+"], ids=["failing sync", "full disk"]
)
async def test_a_holder_whose_disk_refuses_costs_neither_the_write_nor_what_it_has(
    six_nodes: Town, faults: str
) -> None:
    earlier, later = some_bytes(1, SIZE_BYTES), some_bytes(2, SIZE_BYTES)
    await six_nodes.put("disk/earlier", earlier)
    await six_nodes.restart("n5", faults=faults)
    await six_nodes.see(6)
    heard = six_nodes.listen()
    await six_nodes.put("disk/later", later)
    await heard.wait("spread.holder-failed", "node=n5", "store-")
    (block,) = await six_nodes.blocks("disk/later")
    assert [share.name for share in block.shares if not share.present] == ["n5"]
    assert six_nodes.is_alive("n5")
    await six_nodes.kill("n3", "n4", "n6")  # n5 is needed now, for what it took before
    assert await six_nodes.get("disk/earlier") == earlier
    await six_nodes.heal()
    assert await six_nodes.get("disk/later") == later


async def test_when_too_many_disks_are_full_a_put_is_refused_with_the_reason_and_reads_go_on(six_nodes: Town) -> None:
    kept = some_bytes(3, SIZE_BYTES)
    await six_nodes.put("full/kept", kept)
    full = ("n4", "n5", "n6")
    await six_nodes.kill(*full)
    await six_nodes.start(*full, faults="disk.write.volumes=ENOSPC@1+")
    await six_nodes.see(6)
    with pytest.raises(Unavailable, match="holders-too-few") as refused:
        await six_nodes.put("full/refused", some_bytes(4, SIZE_BYTES))
    assert refused.value.parameters["reached"] == 3
    assert names_in(refused.value, "because") == {f"{name}: store-full" for name in full}
    assert await six_nodes.get("full/kept") == kept
    assert await six_nodes.get_if_there("full/refused") is None
    await six_nodes.kill(*full)


async def test_the_gateways_own_full_disk_is_a_reason_not_an_end(six_nodes: Town) -> None:
    kept = some_bytes(5, SIZE_BYTES)
    await six_nodes.put("own/kept", kept)
    await six_nodes.restart(GATEWAY, faults="journal.before-write=ENOSPC@1,disk.write.volumes=ENOSPC@1+")
    await six_nodes.see(6, by=(GATEWAY,))
    await six_nodes.writable()
    try:
        await six_nodes.put("own/tried", kept)
    except MaillonError as error:
        assert error.identifier in ("journal-unwritten", "store-full", "journal-local")
        assert await six_nodes.get_if_there("own/tried") in (None, kept)
    else:
        assert await six_nodes.get("own/tried") == kept
    assert six_nodes.is_alive(GATEWAY)
    assert await six_nodes.get("own/kept") == kept


def can_mount() -> bool:
    """Whether somebody without rights may have a mount namespace here; some distributions forbid it."""
    tried = subprocess.run(
        ["unshare", "-Urm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    )
    return tried.returncode == 0


@pytest.mark.skipif(not can_mount(), reason="this kernel lets nobody mount a small file system without being root")
async def test_a_disk_that_really_is_full_refuses_and_what_is_on_it_is_read(six_nodes: Town) -> None:
    await six_nodes.terminate("n6")
    heard = six_nodes.listen()
    await six_nodes.start_on_small_disk("n6", "4m")
    await six_nodes.see(6)
    written = {f"brim/{number}": some_bytes(number, SIZE_BYTES) for number in range(30)}
    for key, data in written.items():
        await six_nodes.put(key, data)
    await heard.wait("spread.holder-failed", "node=n6", "store-full")
    present = [
        any(share.name == "n6" and share.present for share in (await six_nodes.blocks(key))[0].shares)
        for key in written
    ]
    assert present[0]
    assert not present[-1], "30 shares of 200 kB are more than 4 MB"
    assert six_nodes.is_alive("n6")
    await six_nodes.kill("n3", "n4", "n5")
    assert await six_nodes.get("brim/0") == written["brim/0"], "n6 gives what it took before it was full"
    await six_nodes.heal()
    for key, data in written.items():
        assert await six_nodes.get(key) == data


async def test_a_failing_sync_of_the_gateways_journal_acknowledges_nothing_that_is_lost(six_nodes: Town) -> None:
    await six_nodes.restart(GATEWAY, faults="journal.before-sync=EIO@2")
    await six_nodes.see(6, by=(GATEWAY,))
    await six_nodes.writable()
    acknowledged: dict[str, bytes] = {}
    for number in range(4):
        key, data = f"sync/{number}", some_bytes(number, SIZE_BYTES)
        try:
            await six_nodes.put(key, data)
        except MaillonError:
            await six_nodes.writable()
        else:
            acknowledged[key] = data
    assert len(acknowledged) >= 3
    await six_nodes.kill(GATEWAY)
    await six_nodes.heal()
    for key, data in acknowledged.items():
        assert await six_nodes.get(key) == data


# --- what became of the files


async def test_spoilt_volumes_and_indexes_of_four_holders_cost_nothing(six_nodes: Town) -> None:
    objects = {f"spoilt/{number}": some_bytes(number, SIZE_BYTES) for number in range(6)}
    for key, data in objects.items():
        await six_nodes.put(key, data)
    for name in ("n2", "n3", "n4", "n5"):
        await six_nodes.terminate(name)  # a clean end, so that its index knows all of its volumes
    heard = {name: six_nodes.listen(name) for name in six_nodes.names}
    for path in (six_nodes.dir("n2") / "index").glob("shares-*"):
        path.unlink()
    index = the_file(six_nodes.dir("n3") / "index", "shares-*.sqlite")
    index.write_bytes(some_bytes(9, index.stat().st_size))
    flipped, cut = volumes_of(six_nodes, "n4")[-1], volumes_of(six_nodes, "n5")[-1]
    for offset in range(SIZE_BYTES // 20, flipped.stat().st_size, SIZE_BYTES // 10):
        flip(flipped, offset, mask=1 << offset % 8)
    with cut.open("r+b") as file:
        file.truncate(cut.stat().st_size // 2)
    await six_nodes.start("n2", "n3", "n4", "n5")
    await six_nodes.see(6)
    assert heard["n3"].lines("index-damaged")
    assert heard["n5"].lines("volume-truncated")
    for key, data in objects.items():
        assert await six_nodes.get(key) == data
    # The indexes that were made anew must have found all there is: n1 with n2 and n3 is just enough.
    await six_nodes.kill("n4", "n5", "n6")
    for key, data in objects.items():
        assert await six_nodes.get(key) == data
    # And spoilt bytes never count as a share: with n4 and n5 alone to help, n1 says what is missing.
    await six_nodes.start("n4", "n5")
    await six_nodes.kill("n2", "n3")
    for name in ("n4", "n5"):
        await six_nodes.see_live(name, by=(GATEWAY,))
    for key in objects:
        with pytest.raises(Unavailable, match="block-unreadable") as refused:
            await six_nodes.get(key)
        assert {"n2", "n3", "n6"} < names_in(refused.value, "missing")
    assert heard["n4"].lines("share-damaged")
    await six_nodes.heal()
    for key, data in objects.items():
        assert await six_nodes.get(key) == data


def cut_in_half(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def flip_everywhere(path: Path) -> None:
    for offset in range(50, path.stat().st_size, 501):
        flip(path, offset, mask=1 << offset % 8)


SPOILS = [cut_in_half, flip_everywhere, Path.unlink]


FILES = ["index/catalog-*.sqlite", "journals/*.journal", "volumes/volumes/*.volume"]


@pytest.mark.parametrize("pattern", FILES, ids=["catalog", "journal", "volumes"])
@pytest.mark.parametrize("spoil", SPOILS, ids=["cut", "flipped", "missing"])
async def test_spoilt_files_of_the_gateway_cost_nothing(
    six_nodes: Town, pattern: str, spoil: Callable[[Path], None]
) -> None:
    key, data = f"anew/{spoil.__name__}", some_bytes(6, 2 * MIB)
    await six_nodes.put(key, data)
    await six_nodes.kill(GATEWAY)
    spoilt = list(six_nodes.dir(GATEWAY).glob(pattern))
    for path in spoilt:
        spoil(path)
    assert spoilt
    await six_nodes.heal()
    assert await six_nodes.get(key) == data
    await six_nodes.put(key, data[::-1])
    assert await six_nodes.get(key) == data[::-1]


async def test_records_lost_from_the_file_are_heard_again(six_nodes: Town) -> None:
    await six_nodes.kill("n4")
    records = six_nodes.dir("n4") / "records"
    whole = records.stat().st_size
    flip(records, whole // 2)
    with records.open("r+b") as file:
        file.truncate(whole - 10)
    heard = six_nodes.listen("n4")
    await six_nodes.heal()
    assert heard.lines("records-damaged")
    federation = [await six_nodes.status(name) for name in ("n1", "n4")]
    assert federation[0].organisations == federation[1].organisations == 6
