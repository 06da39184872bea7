"""What a decision that stands says of itself: the ballots of its own day, not of the next one."""

from __future__ import annotations

from node.admin import member_calls, members
from node.admin.lines import ProposalLine
from tests.support.township import ADMITTED_BYTES, Township, in_a_township


async def asked_again(township: Township, number: int, voter: int) -> ProposalLine:
    question = member_calls.Admit(f"organisation {number}", "FR", "association", (), ADMITTED_BYTES)
    return await township.on(voter, lambda services: members.admit(services, question))


def test_it_tells_the_ballots_that_took_it_and_whose_stand_in_its_certificate() -> None:
    async def main(township: Township) -> None:
        await township.grow(5)
        by_the_founder_alone = await asked_again(township, 4, 1)
        assert (by_the_founder_alone.state, by_the_founder_alone.subject) == ("decided", "organisation 4")
        assert (by_the_founder_alone.ballots, by_the_founder_alone.needed) == (1, 1)
        assert by_the_founder_alone.electorate == 1
        assert by_the_founder_alone.voted
        by_a_majority = await asked_again(township, 5, 4)
        assert (by_a_majority.ballots, by_a_majority.needed, by_a_majority.electorate) == (3, 3, 4)
        assert not by_a_majority.voted
        assert (await asked_again(township, 4, 4)).id == by_the_founder_alone.id

    in_a_township(main)
