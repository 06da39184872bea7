"""What `status` counts and warns of."""

from __future__ import annotations

import pytest
import trio

from node.admin import calls, member_calls, members, s3_keys, state
from node.admin.s3_calls import S3KeyCreate
from node.admin.services import Services
from node.admin.status_calls import Status
from node.mesh.mesh import Mesh
from protocol.errors import Missing, Refused
from tests.support.township import Township, in_a_township


async def status_at(township: Township, number: int) -> Status:
    return await township.on(number, lambda services: state.status(services, calls.Nothing()))


def test_a_member_that_leaves_for_good_is_waited_for_no_more_once_it_is_gone() -> None:
    async def main(township: Township) -> None:
        await township.grow(3)
        await township.on(3, lambda services: members.leave(services, calls.Nothing()))
        await trio.sleep(20)
        leaving = await status_at(township, 1)
        assert (leaving.members, leaving.members_live) == (3, 3)
        township.kill(3)
        await trio.sleep(30)
        gone = await status_at(township, 1)
        assert (gone.members, gone.members_live) == (2, 2)
        township.kill(2)
        await trio.sleep(30)
        away = await status_at(township, 1)
        assert (away.members, away.members_live) == (2, 1)

    in_a_township(main)


def test_a_node_that_nobody_can_dial_is_told_so_and_invites_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(township: Township) -> None:
        await township.grow(2)
        assert "address-not-dialable" not in (await status_at(township, 1)).warnings
        invited = await township.on(1, lambda services: members.invite(services, member_calls.Invite(60)))
        assert invited.token

        async def as_nobody_can_dial(services: Services) -> None:
            monkeypatch.setattr(Mesh, "addresses", property(lambda _mesh: ("0.0.0.0:7400", "[::]:7400")))
            assert "address-not-dialable" in (await state.status(services, calls.Nothing())).warnings
            with pytest.raises(Refused, match="invitation-unreachable"):
                await members.invite(services, member_calls.Invite(60))

        await township.on(1, as_nobody_can_dial)

    in_a_township(main)


def test_who_names_a_namespace_that_is_not_served_is_told_which() -> None:
    async def main(township: Township) -> None:
        await township.grow(3)
        question = S3KeyCreate("nowhere", "", read_only=False, access_key="", secret_key="")
        with pytest.raises(Missing, match="namespace-none"):
            await township.on(1, lambda services: s3_keys.create(services, question))
        await township.on(1, lambda services: services.vault.create_namespace("photos"))
        with pytest.raises(Missing, match="namespace-missing") as caught:
            await township.on(1, lambda services: s3_keys.create(services, question))
        assert caught.value.parameters == {"namespace": "nowhere"}

    in_a_township(main)
