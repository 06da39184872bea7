"""An organisation's 33 words, read back from paper: its keys, and which of them is the current one.

The words give the seed of all the organisation's keys. Which key is in use follows from the lineage that the members
know; where nobody can be asked yet it is the first, as on the day the words were written.
"""

from __future__ import annotations

import re

from node.cli.sheets import given_text
from node.text import _
from node.vault.sheet_words import secret_from_words
from protocol.errors import Malformed, Refused
from protocol.ids import OrganisationId
from protocol.members.facts import OrganisationFacts
from protocol.members.lineage import OrganisationKeys
from protocol.members.view import View

_WORD = re.compile(r"[A-Za-z?*_-]{3,}")


def given_keys(source: str) -> OrganisationKeys:
    """The keys that the words in a file, or as they are typed, stand for; numbers between them do not matter.

    Raises:
        Malformed: what `secret_from_words` says of the words; `sheet-is-namespace` for the wrong kind of paper.
    """
    text = given_text(source, _("Type the organisation's 33 words."))
    if re.search(r"^\s*maillon-sheet", text, re.MULTILINE):
        raise Malformed("sheet-is-namespace")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return OrganisationKeys(secret_from_words([_WORD.findall(" ".join(lines))]))


def known_organisation(keys: OrganisationKeys, view: View) -> tuple[OrganisationFacts, int]:
    """What the members know of the organisation, and which of its keys is the current one.

    Raises:
        Refused: `organisation-not-known` when they know none of these keys.
    """
    facts = view.organisation(OrganisationId(keys.organisation))
    if facts is None:
        raise Refused("organisation-not-known", organisation=keys.organisation)
    return facts, len(facts.lineage.keys) - 1
