"""An organisation's 33 words, read back from paper: the seed of all its keys."""

from __future__ import annotations

import re

from node.cli.sheets import given_text
from node.text import _
from node.vault.sheet_words import secret_from_words
from protocol.errors import Malformed
from protocol.members.lineage import OrganisationKeys

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
