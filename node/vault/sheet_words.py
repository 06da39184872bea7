"""Secrets as words: SLIP-39, whole or split among several people, and what can be said about a slip of the pen.

Thirty-three words carry 32 secret bytes, so that other tools can read them too. One set of words suffices, or any m
of n: then each set alone says nothing about the secret. The checksum does not only notice a slip: it is linear and
of distance 4, so that a single wrong word can be found and the right one computed, a word that is in no list be
told from all others, and two words that changed places be named.

Source: SLIP-0039; its checksum RS1024 is a Reed-Solomon code over GF(1024) of distance 4.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Final

from shamir_mnemonic.constants import CUSTOMIZATION_STRING_EXTENDABLE
from shamir_mnemonic.rs1024 import verify_checksum
from shamir_mnemonic.shamir import EncryptedMasterSecret, combine_mnemonics, split_ems
from shamir_mnemonic.share import Share
from shamir_mnemonic.utils import MnemonicError
from shamir_mnemonic.wordlist import WORDLIST

from protocol.errors import Malformed, Refused
from protocol.ids import ID_BYTES

Words = tuple[str, ...]

WORDS: Final = 33
IDENTIFIER_BYTES: Final = 2
SPLIT_MAX: Final = 16

_WORDS_PER_LINE: Final = 6
_RADIX_BITS: Final = 10


def words_of(secret: bytes, identifier: bytes) -> Words:
    """The 33 words of 32 bytes. `identifier`: two random bytes that tell sheets of different splits apart."""
    return split_words(secret, 1, 1, identifier)[0]


def split_words(secret: bytes, needed: int, total: int, identifier: bytes) -> tuple[Words, ...]:
    """`total` sets of words, any `needed` of which give the secret back.

    Raises:
        Refused: `sheet-split` when that is no split.
    """
    if not (1 < needed <= total <= SPLIT_MAX or needed == total == 1):
        raise Refused("sheet-split", needed=needed, total=total, limit=SPLIT_MAX)
    number = int.from_bytes(identifier, "big") & 0x7FFF
    sealed = EncryptedMasterSecret.from_master_secret(secret, b"", number, extendable=True, iteration_exponent=0)
    (shares,) = split_ems(1, [(needed, total)], sealed)
    return tuple(tuple(share.words()) for share in shares)


def secret_from_words(sets: Sequence[Sequence[str]]) -> bytes:
    """The secret of one whole set of words, or of enough sets of one split; `sets` may repeat.

    Raises:
        Malformed: `sheet-word-count`; `sheet-word-unknown` with the word's number and the nearest word;
            `sheet-word-wrong` with number and right word, when one wrong word explains the checksum;
            `sheet-words-swapped` with both numbers, when an exchange explains it; `sheet-words` when more is wrong.
            Each says in which of the `sets`, counted from 1.
        Refused: `sheets-mixed` when they are of different splits; `sheets-too-few`, with how many are needed.
    """
    shares = [_share(words, which) for which, words in enumerate(sets, start=1)]
    first = shares[0]
    strange = [which for which, share in enumerate(shares, 1) if share.group_parameters() != first.group_parameters()]
    if strange:
        raise Refused("sheets-mixed", first=1, other=strange[0])
    present = {share.index: share for share in shares}
    if len(present) < first.member_threshold:
        names = tuple(str(index + 1) for index in sorted(present))
        raise Refused("sheets-too-few", found=len(present), needed=first.member_threshold, present=names)
    enough = [present[index].mnemonic() for index in sorted(present)[: first.member_threshold]]
    try:
        secret: bytes = combine_mnemonics(enough)
    except (MnemonicError, ValueError) as error:
        # Each set is sound by itself: the digest inside the secret says that they are not of one split after all.
        raise Refused("sheets-mixed", first=1, other=len(sets)) from error
    if len(secret) != ID_BYTES:
        raise Malformed("sheet-words", sheet=1)
    return secret


def numbered_words(words: Sequence[str]) -> list[str]:
    """The words in rows, each with its number, as people copy and check them."""
    numbered = [f"{number:2d} {word:<9}" for number, word in enumerate(words, start=1)]
    rows = [numbered[start : start + _WORDS_PER_LINE] for start in range(0, len(numbered), _WORDS_PER_LINE)]
    return ["  " + " ".join(row).rstrip() for row in rows]


def _share(words: Sequence[str], sheet: int) -> Share:
    """What one set of words says, once its checksum holds."""
    indices = _indices(words, sheet)
    if not verify_checksum(indices, CUSTOMIZATION_STRING_EXTENDABLE):
        raise _located(indices, words, sheet)
    try:
        return Share.from_mnemonic(" ".join(WORDLIST[index] for index in indices))
    except (MnemonicError, ValueError) as error:
        raise Malformed("sheet-words", sheet=sheet) from error


def _indices(words: Sequence[str], sheet: int) -> list[int]:
    if len(words) != WORDS:
        raise Malformed("sheet-word-count", sheet=sheet, found=len(words), needed=WORDS)
    typed = [word.strip().lower() for word in words]
    unknown = [position for position, word in enumerate(typed) if word not in WORDLIST]
    indices = [0 if position in unknown else WORDLIST.index(word) for position, word in enumerate(typed)]
    if unknown:
        position = unknown[0]
        change = _change_at(position, _checksum(indices)) if len(unknown) == 1 else None
        if change is not None:
            nearest = WORDLIST[change]
        else:
            nearest = difflib.get_close_matches(typed[position], WORDLIST, n=1, cutoff=0.0)[0]
        word = typed[position][:32]
        raise Malformed("sheet-word-unknown", sheet=sheet, number=position + 1, word=word, nearest=nearest)
    return indices


def _located(indices: list[int], words: Sequence[str], sheet: int) -> Malformed:
    """Which single word, changed to which other, or which exchange of two would make the checksum right."""
    wrong = _checksum(indices)
    for position in range(WORDS):
        change = _change_at(position, wrong)
        if change is not None:
            right, word = WORDLIST[indices[position] ^ change], words[position][:32]
            return Malformed("sheet-word-wrong", sheet=sheet, number=position + 1, word=word, nearest=right)
    for second in range(WORDS):
        for first in range(second):
            change = indices[first] ^ indices[second]
            if change and _effect(first, change) ^ _effect(second, change) == wrong:
                return Malformed("sheet-words-swapped", sheet=sheet, first=first + 1, second=second + 1)
    return Malformed("sheet-words", sheet=sheet)


def _change_at(position: int, wanted: int) -> int | None:
    """What to change (xor) in the word at `position` to change the checksum by `wanted`, if that can be."""
    return _solve([_effect(position, 1 << bit) for bit in range(_RADIX_BITS)], wanted)


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
