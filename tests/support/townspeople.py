"""The members of a township on the day after they were admitted.

`sim.federation.genesis` founds their federation, with the keys of `tests.support.members.Party`. Tests of joining and
voting grow theirs (`Township.grow`), which takes twice as long.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property

from node.config import Config
from protocol.keys.signing import SigningKey
from protocol.members.charter import Standing
from protocol.members.lineage import OrganisationKeys
from protocol.placement.classes import Code, standard_classes
from sim.federation.cast import Actor, Cast, House
from sim.federation.genesis import Genesis, found
from tests.support.members import STANDING, Party


class Family(House):
    """An organisation; number K has node K."""

    @property
    def name(self) -> str:
        return f"organisation {self.number}"

    @cached_property
    def keys(self) -> OrganisationKeys:
        return Party(self.number).organisation


class Townsman(Actor):
    """A node."""

    @cached_property
    def key(self) -> SigningKey:
        return Party(self.number).key


def founded(configs: Sequence[Config], standing: Standing, code: Code | None) -> Genesis:
    """The federation of nodes 1, 2 and so on; `standing` is that of all but the first one's organisation."""
    actors = tuple(
        Townsman(number, Family(number, standing if number > 1 else STANDING), config.node.zone, 10**12)
        for number, config in enumerate(configs, start=1)
    )
    classes = tuple(dataclasses.replace(each, code=code) for each in standard_classes())
    return found(Cast(actors), classes, configs)
