"""From a sheet alone, on a machine that belongs to nobody: the old gateway is fenced, and every object reads back."""

from __future__ import annotations

import dataclasses

import pytest
import trio

from node.admin import member_calls, members, namespace_calls, takeovers
from node.folder import NodeFolder
from node.host.ports import Host
from node.recovery import Newest, Reached, Step, prepare
from node.rehearsal import hold_drill
from node.rejoining import take_in
from node.vault.secrets import encode_secrets, load_secrets
from node.vault.sheet import Sheet, read_sheet
from protocol.errors import MaillonError, Missing, Refused, Unavailable
from protocol.ids import FederationId
from protocol.namespace.root import Root
from tests.support.members import Party
from tests.support.namespaces import some
from tests.support.rotating import rotate
from tests.support.township import Township, in_a_township, node_of

OBJECTS = {f"key{number}": bytes([number]) * size for number, size in enumerate((1, 5_000, 70_000, 4_500_000))}
GUEST = 9


async def settle(township: Township, size: int) -> Sheet:
    """A namespace at n1 with some objects; its sheet."""
    await township.grow(size)
    created = await township.on(1, lambda services: services.vault.create_namespace("photos"))
    client = township.client()
    for key, data in OBJECTS.items():
        await client.put(key, data)
    await township.until_settled()
    return read_sheet(created.sheet)


async def recover(township: Township, sheet: Sheet, number: int = GUEST) -> list[Step]:
    """What the command does before it runs the node, in a life of its own."""
    steps: list[Step] = []
    failures: list[MaillonError] = []

    async def live(host: Host) -> None:
        folder = NodeFolder(host.disk, f"n{number}")
        text, config = township.config_text(number), township.config(number)
        try:
            await prepare(host, folder, sheet, text, config, steps.append)
        except MaillonError as error:
            failures.append(error)

    await township.world.run_node(f"n{number}", live)
    if failures:
        raise failures[0]
    return steps


async def check_all(township: Township, number: int) -> None:
    client = township.client(number)
    for key, data in OBJECTS.items():
        assert await client.get(key) == data


def test_the_gateway_burns_and_an_empty_machine_reads_everything() -> None:
    async def main(township: Township) -> None:
        sheet = await settle(township, 4)
        assert len(sheet.addresses) == 3
        assert "n1:7000" not in sheet.addresses
        township.kill(1)
        reached, newest = await recover(township, sheet)
        assert reached == Reached(members=4, members_live=3)
        assert isinstance(newest, Newest)
        await township.start(GUEST)
        await township.until_open(GUEST)
        await check_all(township, GUEST)
        with pytest.raises(Refused, match="namespace-read-only"):
            await township.client(GUEST).put("more", b"x")

    in_a_township(main)


def test_the_old_gateway_still_lives_and_is_fenced_and_says_so() -> None:
    async def main(township: Township) -> None:
        sheet = await settle(township, 4)
        await recover(township, sheet)
        await township.start(GUEST)
        await township.until_open(GUEST)
        await until_refused(township, 1, "namespace-superseded")
        with pytest.raises(Refused, match="namespace-superseded") as caught:
            await township.client(1).put("late", b"too late")
        assert caught.value.parameters["gateway"]
        # The root has made newer secrets: with the old ones it does not come back by itself.
        with pytest.raises(MaillonError, match="journal-generation"):
            await township.on(1, lambda services: services.vault.take_over("photos"))
        await check_all(township, GUEST)

    in_a_township(main)


def test_a_stolen_gateway_that_was_expelled_is_no_obstacle() -> None:
    async def main(township: Township) -> None:
        sheet = await settle(township, 4)
        expel = member_calls.Expel("organisation 1")
        for voter in (2, 3, 4):
            await township.on(voter, lambda services: members.expel(services, expel))
        others = [township.houses[number].services.mesh.view for number in (2, 3, 4)]
        await township.until(lambda: all(view.node(node_of(1)) is None for view in others))
        await recover(township, sheet)
        await township.start(GUEST)
        await township.until_open(GUEST)
        await check_all(township, GUEST)

    in_a_township(main)


def test_taken_in_by_its_organisation_the_machine_writes_again() -> None:
    async def main(township: Township) -> None:
        sheet = await settle(township, 4)
        township.kill(1)
        await recover(township, sheet)
        await township.start(GUEST)
        await township.until_open(GUEST)
        township.kill(GUEST)
        host, folder = township.world.host(f"n{GUEST}"), township.folder(GUEST)
        organisation = await take_in(host, folder, township.config(GUEST), Party(1).organisation)
        assert organisation.name == "organisation 1"
        await township.start(GUEST)
        await township.until_open(GUEST)
        client = township.client(GUEST)
        await client.put("again", b"written" * 20_000)
        assert await client.get("again") == b"written" * 20_000
        await check_all(township, GUEST)

    in_a_township(main)


@pytest.mark.parametrize("point", ["folder", "records", "secrets"])
def test_a_preparation_that_died_is_repeated_in_the_same_folder(point: str) -> None:
    async def main(township: Township) -> None:
        sheet = await settle(township, 3)
        township.kill(1)
        died = False

        def die() -> None:
            nonlocal died
            died = True
            township.world.cut_power(f"n{GUEST}")

        township.world.faults(f"n{GUEST}").on(f"recovery.after-{point}", die)
        await recover(township, sheet)
        assert died
        await recover(township, sheet)
        await township.start(GUEST)
        await township.until_open(GUEST)
        await check_all(township, GUEST)

    in_a_township(main)


@pytest.mark.parametrize("point", ["succession.after-promise", "succession.after-prepare", "succession.after-open"])
def test_a_recovery_that_died_goes_on_without_the_sheet(point: str) -> None:
    async def main(township: Township) -> None:
        sheet = await settle(township, 4)
        township.kill(1)
        await recover(township, sheet)
        township.on_reaching(GUEST, point, lambda: township.cut_power(GUEST))
        await township.start(GUEST)
        await township.until(lambda: GUEST not in township.houses)
        await township.start(GUEST)
        await township.until_open(GUEST)
        await check_all(township, GUEST)

    in_a_township(main)


def test_repeating_a_recovery_makes_no_new_secrets() -> None:
    async def main(township: Township) -> None:
        sheet = await settle(township, 4)
        township.kill(1)
        await recover(township, sheet)
        disk = township.world.host(f"n{GUEST}").disk
        before = load_secrets(disk, sheet.root.namespace)
        assert await recover(township, sheet) == []
        assert load_secrets(disk, sheet.root.namespace) == before
        await township.start(GUEST)
        await township.until_open(GUEST)
        township.kill(GUEST)
        (_reached, newest) = await recover(township, sheet)
        assert isinstance(newest, Newest)
        after = load_secrets(township.world.host(f"n{GUEST}").disk, sheet.root.namespace)
        assert (newest.generation, after.certificate) == (before.certificate.generation, before.certificate)

    in_a_township(main)


def test_with_every_address_of_the_sheet_dead_another_one_does() -> None:
    async def main(township: Township) -> None:
        sheet = await settle(township, 4)
        township.kill(1)
        dead = dataclasses.replace(sheet, addresses=("n1:7000", "nowhere:1"))
        with pytest.raises(Unavailable, match="sheet-addresses") as caught:
            await recover(township, dead)
        assert [str(reason).split(":")[0] for reason in caught.value.parameters["reasons"]] == ["n1", "nowhere"]  # type: ignore[union-attr]
        await recover(township, dataclasses.replace(dead, addresses=("n3:7000", *dead.addresses)))
        await township.start(GUEST)
        await township.until_open(GUEST)
        await check_all(township, GUEST)

    in_a_township(main)


def test_a_sheet_of_another_federation_or_namespace_leads_nowhere() -> None:
    async def main(township: Township) -> None:
        sheet = await settle(township, 3)
        elsewhere = dataclasses.replace(sheet, federation=FederationId(some("elsewhere")))
        with pytest.raises(Refused, match="sheet-federation"):
            await recover(township, elsewhere, number=8)
        with pytest.raises(Refused, match="recover-elsewhere"):
            await recover(township, sheet, number=8)
        unknown = dataclasses.replace(sheet, root=Root(some("another root")))
        with pytest.raises(Unavailable, match="namespace-unknown"):
            await recover(township, unknown)
        with pytest.raises(Missing):
            load_secrets(township.world.host(f"n{GUEST}").disk, unknown.root.namespace)

    in_a_township(main)


def test_a_rotation_locks_out_whoever_has_the_old_secrets() -> None:
    async def main(township: Township) -> None:
        sheet = await settle(township, 4)
        disk = township.world.host("n1").disk
        stolen = load_secrets(disk, sheet.root.namespace)
        await rotate(township, sheet, 1)
        renewed = load_secrets(disk, sheet.root.namespace)
        assert renewed.certificate.generation == stolen.certificate.generation + 1
        assert renewed.writer_seed != stolen.writer_seed
        assert not renewed.takeover
        await township.client().put("after", b"only for the new")
        await check_all(township, 1)
        # The thief's copy of the old secrets, brought to a member's node, gets nowhere.
        thief = dataclasses.replace(stolen, takeover=True)
        with pytest.raises(Refused, match="namespace-node"):
            await township.on(
                2, lambda services: takeovers.adopt(services, namespace_calls.NamespaceAdopt(encode_secrets(thief)))
            )
        with pytest.raises(Refused, match="journal-generation"):
            await township.on(1, lambda services: services.vault.adopt(thief))

    in_a_township(main)


def test_a_sheet_moves_the_namespace_to_another_members_node() -> None:
    async def main(township: Township) -> None:
        sheet = await settle(township, 4)
        township.kill(1)
        await rotate(township, sheet, 2)
        await check_all(township, 2)
        await township.client(2).put("moved", b"here now")
        await township.start(1)
        await until_refused(township, 1, "namespace-superseded")

    in_a_township(main)


async def until_refused(township: Township, number: int, identifier: str) -> None:
    """The node's clients are told this, at last."""
    told = ""
    with trio.fail_after(60):
        while told != identifier:
            try:
                await township.client(number).get("key0")
            except MaillonError as error:
                told = error.identifier
            await trio.sleep(0.5)


def test_a_drill_reads_objects_of_every_kind_and_changes_nothing_anywhere() -> None:
    async def main(township: Township) -> None:
        sheet = await settle(township, 4)
        before = {number: township.world.platter(f"n{number}").files.keys() for number in (2, 3, 4)}
        status = (await township.client().namespaces())[0]
        steps: list[Step] = []
        host, config = township.world.host(f"n{GUEST}"), township.config(GUEST)
        found = await hold_drill(host, sheet, config, steps.append, lambda _done, _total: None)
        assert (found.objects, found.read_objects) == (len(OBJECTS), len(OBJECTS))
        assert found.read_bytes == sum(len(data) for data in OBJECTS.values())
        assert isinstance(steps[-1], Newest)
        after = (await township.client().namespaces())[0]
        assert after.journal == status.journal
        assert {number: township.world.platter(f"n{number}").files.keys() for number in (2, 3, 4)} == before
        assert after.drill_s is None
        await township.on(1, lambda services: services.vault.drill_held(sheet.root.namespace, 1_800_000_000))
        assert (await township.client().namespaces())[0].drill_s == 1_800_000_000

    in_a_township(main)


def test_a_drill_tells_what_would_not_come_back() -> None:
    async def main(township: Township) -> None:
        sheet = await settle(township, 4)
        township.kill(1)
        township.kill(2)
        reachable = dataclasses.replace(sheet, addresses=("n3:7000",))
        host, config = township.world.host(f"n{GUEST}"), township.config(GUEST)
        with pytest.raises(Unavailable, match="journal-not-ready"):
            await hold_drill(host, reachable, config, lambda _step: None, lambda _done, _total: None)

    in_a_township(main)


async def until_on_tables(township: Township, number: int = 1) -> None:
    """The namespace goes on from a checkpoint; what is before it is not needed any more."""
    with trio.fail_after(600):
        while True:
            (status,) = await township.client(number).namespaces()
            if status.journal is not None and status.journal.is_settled and status.journal.epoch > 1:
                return
            await trio.sleep(1)


def test_what_rests_on_tables_comes_back_from_them_though_it_died_while_they_arrived() -> None:
    async def main(township: Township) -> None:
        township.checkpoint_after_s = 30.0
        sheet = await settle(township, 4)
        await until_on_tables(township)
        await township.client().put("key0", OBJECTS["key0"])
        township.kill(1)
        await recover(township, sheet)
        township.on_reaching(GUEST, "checkpoint.after-arrival", lambda: township.cut_power(GUEST))
        await township.start(GUEST)
        await township.until(lambda: GUEST not in township.houses)
        await township.start(GUEST)
        await township.until_open(GUEST)
        await check_all(township, GUEST)

    in_a_township(main)


def test_a_drill_reads_tables_too() -> None:
    async def main(township: Township) -> None:
        township.checkpoint_after_s = 30.0
        sheet = await settle(township, 4)
        await until_on_tables(township)
        host, config = township.world.host(f"n{GUEST}"), township.config(GUEST)
        found = await hold_drill(host, sheet, config, lambda _step: None, lambda _done, _total: None)
        assert (found.objects, found.read_objects) == (len(OBJECTS), len(OBJECTS))
        assert found.epoch > 1

    in_a_township(main)
