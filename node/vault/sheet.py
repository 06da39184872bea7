"""The recovery sheet: a namespace's root as words on paper, with where to ask for what they open.

The words are SLIP-39 (33 of them, one sheet suffices), so that other tools can read them too, and so that the same
root can later be split among several people. Their checksum does not only notice a slip: it is linear, so that a
single wrong word can be found and the right one computed; a word that is in no list is named with its nearest.

The text is read back by its form, not by its prose: lines that begin with ``#`` are for people, in their language.

Source: SLIP-0039; its checksum RS1024 is a Reed-Solomon code over GF(1024) of distance 4.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shamir_mnemonic.constants import CUSTOMIZATION_STRING_EXTENDABLE
from shamir_mnemonic.rs1024 import verify_checksum
from shamir_mnemonic.shamir import EncryptedMasterSecret, combine_mnemonics, split_ems
from shamir_mnemonic.utils import MnemonicError
from shamir_mnemonic.wordlist import WORDLIST

from node.text import _
from protocol.errors import Malformed
from protocol.ids import FederationId, identity_from_text, text_of
from protocol.limits import ADDRESS_BYTES_MAX, NAME_BYTES_MAX
from protocol.namespace.root import ROOT_BYTES, Root

FIRST_LINE: Final = "maillon-sheet 1"
WORDS: Final = 33
ADDRESSES_ON_SHEET_MAX: Final = 3
IDENTIFIER_BYTES: Final = 2

_WORDS_PER_LINE: Final = 6
_RADIX_BITS: Final = 10
_LINES_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Sheet:
    """What stands on the paper. `addresses` are members who can be asked for the namespace's journal and shares."""

    root: Root
    name: str
    federation: FederationId
    addresses: tuple[str, ...]


def words_of(root: Root, identifier: bytes) -> tuple[str, ...]:
    """The 33 words. `identifier`: two random bytes that tell sheets of different splits apart."""
    number = int.from_bytes(identifier, "big") & 0x7FFF
    sealed = EncryptedMasterSecret.from_master_secret(root.secret, b"", number, extendable=True, iteration_exponent=0)
    ((share,),) = split_ems(1, [(1, 1)], sealed)
    return tuple(share.words())


def root_from_words(words: Sequence[str]) -> Root:
    """The root that `words_of` wrote.

    Raises:
        Malformed: `sheet-word-count`; `sheet-word-unknown` with the word's number and the nearest word;
            `sheet-word-wrong` with number and right word, when one wrong word explains the checksum;
            `sheet-words` when more is wrong.
    """
    indices = _indices(words)
    if not verify_checksum(indices, CUSTOMIZATION_STRING_EXTENDABLE):
        raise _located(indices, words)
    try:
        secret = combine_mnemonics([" ".join(WORDLIST[index] for index in indices)])
    except (MnemonicError, ValueError) as error:
        raise Malformed("sheet-words") from error
    if len(secret) != ROOT_BYTES:
        raise Malformed("sheet-words")
    return Root(secret)


def write_sheet(sheet: Sheet, identifier: bytes) -> str:
    """The whole sheet as text, ready to print."""
    words = words_of(sheet.root, identifier)
    return "\n".join(
        [
            FIRST_LINE,
            "# " + _("Recovery sheet of the namespace “{name}”.").format(name=sheet.name),
            "# "
            + _("Whoever holds these words can read everything in it. Keep them on paper, away from the machine."),
            f"namespace: {sheet.name}",
            f"federation: {text_of(sheet.federation)}",
            *(f"address: {address}" for address in sheet.addresses[:ADDRESSES_ON_SHEET_MAX]),
            "words:",
            *numbered_words(words),
            "",
        ]
    )


def numbered_words(words: Sequence[str]) -> list[str]:
    """The words in rows, each with its number, as people copy and check them."""
    numbered = [f"{number:2d} {word:<9}" for number, word in enumerate(words, start=1)]
    rows = [numbered[start : start + _WORDS_PER_LINE] for start in range(0, len(numbered), _WORDS_PER_LINE)]
    return ["  " + " ".join(row).rstrip() for row in rows]


def read_sheet(text: str) -> Sheet:
    """The sheet in `text`; blank lines, prose, capitals and the numbers of the words do not matter.

    Raises:
        Malformed: `sheet-form` with the line that cannot be understood, `sheet-incomplete` with what is missing,
            `id-text` for the federation; and what `root_from_words` raises.
    """
    fields: dict[str, list[str]] = {"namespace": [], "federation": [], "address": []}
    words: list[str] | None = None
    lines = [line.strip() for line in text.splitlines()[:_LINES_MAX]]
    for number, line in enumerate(lines, start=1):
        if not line or line.startswith("#") or line == FIRST_LINE:
            continue
        label, _colon, value = line.partition(":")
        if label.lower() == "words":
            words = value.split()
        elif words is not None:
            words += line.split()
        elif label.lower() in fields and value.strip():
            fields[label.lower()].append(value.strip())
        else:
            raise Malformed("sheet-form", line=number)
    return _sheet(fields, words or [])


def _sheet(fields: dict[str, list[str]], words: list[str]) -> Sheet:
    for name in ("namespace", "federation"):
        if len(fields[name]) != 1:
            raise Malformed("sheet-incomplete", field=name)
    if not words:
        raise Malformed("sheet-incomplete", field="words")
    (name,), (federation,) = fields["namespace"], fields["federation"]
    if len(name.encode()) > NAME_BYTES_MAX or any(len(one) > ADDRESS_BYTES_MAX for one in fields["address"]):
        raise Malformed("sheet-incomplete", field="namespace")
    root = root_from_words([word for word in words if not re.fullmatch(r"\d{1,2}[.):]?", word)])
    return Sheet(root, name, FederationId(identity_from_text(federation)), tuple(fields["address"]))


def _indices(words: Sequence[str]) -> list[int]:
    if len(words) != WORDS:
        raise Malformed("sheet-word-count", found=len(words), needed=WORDS)
    indices = []
    for number, word in enumerate(words, start=1):
        known = word.strip().lower()
        if known not in WORDLIST:
            nearest = difflib.get_close_matches(known, WORDLIST, n=1, cutoff=0.0)
            raise Malformed("sheet-word-unknown", number=number, word=known[:32], nearest=nearest[0])
        indices.append(WORDLIST.index(known))
    return indices


def _located(indices: list[int], words: Sequence[str]) -> Malformed:
    """Which single word, changed to which other, would make the checksum right."""
    wrong = _checksum(indices)
    for position in range(WORDS):
        effects = [_effect(position, 1 << bit) for bit in range(_RADIX_BITS)]
        change = _solve(effects, wrong)
        if change is not None:
            right = WORDLIST[indices[position] ^ change]
            return Malformed("sheet-word-wrong", number=position + 1, word=words[position][:32], nearest=right)
    return Malformed("sheet-words")


def _solve(effects: list[int], wanted: int) -> int | None:
    """The bits whose effects together make `wanted`. Effects are independent, so there is at most one answer."""
    rows = [(effect, 1 << bit) for bit, effect in enumerate(effects)]
    chosen = 0
    while rows:
        effect, bits = rows.pop()
        top = 1 << (effect.bit_length() - 1)
        rows = [(other ^ effect, mask ^ bits) if other & top else (other, mask) for other, mask in rows]
        if wanted & top:
            wanted, chosen = wanted ^ effect, chosen ^ bits
    return None if wanted else chosen


def _effect(position: int, change: int) -> int:
    """What changing the word at `position` by `change` (xor) does to the checksum."""
    values = [0] * WORDS
    values[position] = change
    return _checksum(values) ^ _checksum([0] * WORDS)


def _checksum(indices: list[int]) -> int:
    """RS1024's remainder, 0 for a good sheet (SLIP-0039, "Checksum")."""
    generator = (
        0xE0E040, 0x1C1C080, 0x3838100, 0x7070200, 0xE0E0009,
        0x1C0C2412, 0x38086C24, 0x3090FC48, 0x21B1F890, 0x3F3F120,
    )  # fmt: skip
    remainder = 1
    for value in [*CUSTOMIZATION_STRING_EXTENDABLE, *indices]:
        top = remainder >> 20
        remainder = (remainder & 0xFFFFF) << 10 ^ value
        for bit in range(_RADIX_BITS):
            remainder ^= generator[bit] if top >> bit & 1 else 0
    return remainder ^ 1
