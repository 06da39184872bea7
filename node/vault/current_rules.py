"""The rules for new blocks, as of this moment, without working them out for each object.

They follow from what the members said, which changes a few times a day, and every put asks for them. What was worked
out is kept until the view derives its facts anew.
"""

from __future__ import annotations

from node.mesh.peering import Peering
from protocol.members.facts import Facts
from protocol.members.roster import Rules, rules_for


class CurrentRules:
    """By the view of `mesh`."""

    def __init__(self, mesh: Peering) -> None:
        self._mesh = mesh
        self._facts: Facts | None = None
        self._of: dict[str, Rules] = {}

    def of(self, data_class: str) -> Rules:
        """The rules for blocks of this class. Raises Refused(`class-unknown`, `federation-too-small`)."""
        view = self._mesh.view
        if view.facts is not self._facts:
            self._facts = view.facts
            self._of.clear()
        found = self._of.get(data_class)
        if found is None:
            found = self._of[data_class] = rules_for(view.nodes(), view.charter.classes, data_class)
        return found
