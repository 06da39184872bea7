"""A member that contradicts itself: the members hear of it once, and its statements do not go round for ever."""

from __future__ import annotations

from dataclasses import replace

from protocol.members.cards import make_node_card, read_node_card
from protocol.members.records import Record, RecordKind
from tests.support.village import Village, in_a_village


def two_cards(village: Village, liar: int) -> list[Record]:
    """The liar's next card, twice, with different zones."""
    key, view = village.parties[liar].key, village.meshes[1].view
    counter = view.next_counter(key.public, RecordKind.NODE, key.public)
    held = [record for record in view.records() if record.kind == RecordKind.NODE and record.author == key.public]
    card = read_node_card(held[0])
    return [
        make_node_card(key, view.federation, replace(card, zone=zone), counter=counter) for zone in ("here", "there")
    ]


def test_a_statement_that_lost_is_never_new_again() -> None:
    async def main(village: Village) -> None:
        await village.grow(3)
        await village.until(village.agree)
        mesh = village.meshes[1]
        cards = two_cards(village, 2)
        for card in cards:
            await mesh._gossip.absorb([card], None)
        (kept,) = [card for card in cards if card in mesh.view.records()]
        assert len(mesh.view.evidence()) == 1
        for _again in range(3):
            for card in cards:
                absorbed = await mesh._gossip.absorb([card], None)
                assert absorbed.new == 0
        assert kept in mesh.view.records()

    in_a_village(main)
