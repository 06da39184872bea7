"""The world finds bugs: deliberate mistakes in the real code break a law within a few seeds, and honest code none."""

from __future__ import annotations

import pytest

from tests.sim.mistakes.hunting import MISTAKES, hunt, played
from tests.sim.mistakes.model import Mistake
from tests.sim.mistakes.scenes import SCENES, scene


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_the_world_finds(mistake: Mistake) -> None:
    assert hunt(mistake, first=mistake.showed).seed is not None, mistake.told


@pytest.mark.parametrize("name", SCENES)
def test_honest_code_breaks_no_law_in(name: str) -> None:
    assert played(scene(name), 1).violations == []


@pytest.mark.chaos
@pytest.mark.parametrize("name", SCENES)
def test_nor_in_as_many_seeds_as_it_takes_to_find_a_mistake(name: str) -> None:
    for seed in range(2, 6):
        assert played(scene(name), seed).violations == []


def test_there_are_enough_mistakes_and_no_two_of_one_name() -> None:
    assert len({mistake.name for mistake in MISTAKES}) == len(MISTAKES) >= 12
