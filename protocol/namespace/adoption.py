"""What of an epoch is kept when its holders are asked: everything that any of them can show.

A writer that starts, and later whoever succeeds it, asks the holders for what follows the part it trusts already
(the base). Holders can withhold but not forge, so the answer is simple: take every entry that chains on validly,
from whichever holder shows it. An acknowledged entry is shown by an honest one of any r - losses holders, so none
is lost; an entry that was never acknowledged may be kept too, which harms nobody.

Two validly signed entries at one position can only come from a writer whose disk was set back or copied. Then the
branch that most holders show is followed (an acknowledged entry is with w of them), then the longer, then the one
of smaller hash, so that the outcome does not depend on the order of asking; and the other is reported as a fork.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from protocol.errors import MaillonError
from protocol.ids import Digest, NodeId
from protocol.namespace.journal import Opening, Tip, check_entry, decode_entry


@dataclass(frozen=True, slots=True)
class Tail:
    """What one holder shows: encoded entries, the first of which goes on from the base that was asked about."""

    holder: NodeId
    entries: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Rejection:
    """From `position` on, what `holder` showed was refused, for the reason named by `identifier`."""

    holder: NodeId
    position: int
    identifier: str


@dataclass(frozen=True, slots=True)
class Fork:
    """The writer signed two histories: at `position`, so many tails show the kept entry, so many another."""

    position: int
    kept_by: tuple[NodeId, ...]
    left_by: tuple[NodeId, ...]


@dataclass(frozen=True, slots=True)
class Adoption:
    """`entries` follow the base and end at `tip`; nobody who was asked can validly show more of this history."""

    entries: tuple[bytes, ...]
    tip: Tip
    rejected: tuple[Rejection, ...]
    forks: tuple[Fork, ...]


@dataclass(frozen=True, slots=True)
class _Checked:
    """The part of a tail that chains on from the base; `heads[i]` is the hash of `entries[i]`."""

    holder: NodeId
    entries: tuple[bytes, ...]
    heads: tuple[Digest, ...]


def adopt(opening: Opening, base: Tip, tails: Iterable[Tail]) -> Adoption:
    """Join what the holders show beyond `base`. The order of `tails` does not matter; one holder counts once."""
    tails = sorted(tails, key=lambda tail: (tail.holder, tail.entries))
    checked: list[_Checked] = []
    rejected: list[Rejection] = []
    for tail in tails:
        part, rejection = _check(opening, base, tail)
        checked.append(part)
        if rejection is not None and rejection not in rejected:
            rejected.append(rejection)
    entries, heads, forks = _follow(checked, base)
    tip = Tip(base.length + len(entries), heads[-1] if heads else base.head)
    return Adoption(entries, tip, tuple(rejected), forks)


def _check(opening: Opening, base: Tip, tail: Tail) -> tuple[_Checked, Rejection | None]:
    tip = base
    heads: list[Digest] = []
    rejection = None
    for data in tail.entries:
        try:
            tip = check_entry(opening, tip, decode_entry(data))
        except MaillonError as error:
            rejection = Rejection(tail.holder, tip.length, error.identifier)
            break
        heads.append(tip.head)
    return _Checked(tail.holder, tail.entries[: len(heads)], tuple(heads)), rejection


def _follow(checked: list[_Checked], base: Tip) -> tuple[tuple[bytes, ...], tuple[Digest, ...], tuple[Fork, ...]]:
    """Walk the tree of histories from the base, at each fork down the branch that wins."""
    entries: list[bytes] = []
    heads: list[Digest] = []
    forks: list[Fork] = []
    going = checked
    while going := [part for part in going if len(part.heads) > len(heads)]:
        at = len(heads)
        branches: dict[Digest, list[_Checked]] = {}
        for part in going:
            branches.setdefault(part.heads[at], []).append(part)
        ranked = sorted(branches, key=lambda head: _rank(head, branches[head]))
        kept = branches[ranked[0]]
        if len(ranked) > 1:
            left = [part for head in ranked[1:] for part in branches[head]]
            forks.append(Fork(base.length + at, _holders(kept), _holders(left)))
        entries.append(min(part.entries[at] for part in kept))
        heads.append(ranked[0])
        going = kept
    return tuple(entries), tuple(heads), tuple(forks)


def _rank(head: Digest, parts: list[_Checked]) -> tuple[int, int, Digest]:
    return -len(_holders(parts)), -max(len(part.heads) for part in parts), head


def _holders(parts: list[_Checked]) -> tuple[NodeId, ...]:
    return tuple(sorted({part.holder for part in parts}))
