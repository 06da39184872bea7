"""Finding exactly what two sets of ids differ in, with bytes in proportion to the difference.

Each side sees its set as a 16-ary Merkle trie. An id's place is not the id itself but its BLAKE3 hash under the
session's salt, which whoever starts the session draws at random: ids chosen to collide, or to make one branch deep,
therefore do neither. The asker walks both tries from the root, many branches a round; a branch with equal digests
is done, a small one is answered with its ids, any other with the digests of its sixteen children. The answerer
keeps no state between rounds, and whatever the asker has found at any time is true: a session cut short finds less,
never something wrong.

Source: Merkle, "A Digital Signature Based on a Conventional Encryption Function", CRYPTO 1987; Auvolat and Taïani,
"Merkle Search Trees", SRDS 2019, for the use in gossip.
"""

from __future__ import annotations

import enum
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar

from blake3 import blake3

from protocol import limits
from protocol.errors import Malformed, OverLimit
from protocol.ids import Digest
from protocol.wire.schema import Length, decode, encode

SALT_BYTES = 32
BRANCHES = 16
DIGEST_BYTES = 16
DEPTH_MAX = 32
LEAF_IDS = 16
LISTED_IDS_MAX = 1_024
ANSWER_IDS_MAX = 6_000

Salt = Annotated[bytes, Length(SALT_BYTES, SALT_BYTES)]
BranchDigest = Annotated[bytes, Length(0, DIGEST_BYTES)]
Path = Annotated[bytes, Length(0, DEPTH_MAX)]

_LEAF = b"\x00"
_INNER = b"\x01"
_NOTHING = b""


class Form(enum.IntEnum):
    """How a branch was answered. LATER: this answer is full, ask for the branch again."""

    SAME = 0
    CHILDREN = 1
    IDS = 2
    LATER = 3


@dataclass(frozen=True, slots=True)
class Query:
    """A branch, by its nibbles (one a byte), and the asker's digest of it: empty when it holds nothing there."""

    path: Path
    digest: BranchDigest


@dataclass(frozen=True, slots=True)
class Question:
    """One round, from the asker."""

    WIRE_VERSION: ClassVar[int] = 1
    salt: Salt
    queries: Annotated[tuple[Query, ...], Length(1, limits.RECONCILE_QUERIES_MAX)]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the answerer has on one branch: sixteen digests, or its ids, or neither."""

    form: Form
    children: Annotated[tuple[BranchDigest, ...], Length(0, BRANCHES)]
    ids: Annotated[tuple[Digest, ...], Length(0, LISTED_IDS_MAX)]


@dataclass(frozen=True, slots=True)
class Answers:
    """The other half of a round: one answer for each query, in its order."""

    WIRE_VERSION: ClassVar[int] = 1
    answers: Annotated[tuple[Answer, ...], Length(1, limits.RECONCILE_QUERIES_MAX)]


class Trie:
    """One side's set under one salt: sorted once, each branch digested at most once, on demand."""

    def __init__(self, salt: bytes, ids: Iterable[bytes]) -> None:
        if len(salt) != SALT_BYTES:
            raise Malformed("reconcile-salt", size_bytes=len(salt))
        self.salt = salt
        places = sorted((blake3(identity, key=salt).hexdigest(), identity) for identity in set(ids))
        self._places = [place for place, _ in places]
        self._ids = [Digest(identity) for _, identity in places]
        self._digests: dict[bytes, bytes] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def ids(self, path: bytes) -> list[Digest]:
        """The ids below a branch, in trie order."""
        first, end = self._range(path)
        return self._ids[first:end]

    def count(self, path: bytes) -> int:
        first, end = self._range(path)
        return end - first

    def digest(self, path: bytes) -> bytes:
        """16 bytes that commit to the set below the branch; empty for the empty set."""
        if self.count(path) <= LEAF_IDS:
            # Not remembered: whoever asks chooses the path, and there is no end of paths with next to nothing below.
            return self._compute(path)
        known = self._digests.get(path)
        if known is None:
            known = self._digests[path] = self._compute(path)
        return known

    def children(self, path: bytes) -> tuple[bytes, ...]:
        return tuple(self.digest(path + bytes((nibble,))) for nibble in range(BRANCHES))

    def _compute(self, path: bytes) -> bytes:
        first, end = self._range(path)
        if first == end:
            return _NOTHING
        hasher = blake3(key=self.salt)
        if end - first <= LEAF_IDS or len(path) == DEPTH_MAX:
            hasher.update(_LEAF)
            hasher.update(bytes.fromhex("".join(self._places[first:end])))
        else:
            hasher.update(_INNER)
            for child in self.children(path):
                hasher.update(child or bytes(DIGEST_BYTES))
        return hasher.digest(DIGEST_BYTES)

    def _range(self, path: bytes) -> tuple[int, int]:
        if not path:
            return 0, len(self._places)
        prefix = path.hex()[1::2]
        # "g" sorts after every hexadecimal digit: the end of the branch.
        return bisect_left(self._places, prefix), bisect_left(self._places, prefix + "g")


def answer(trie: Trie, question: Question) -> Answers:
    """The answerer's half of a round; pure, with at most `ANSWER_IDS_MAX` ids in it.

    Raises:
        Malformed: `reconcile-path` for a branch that cannot exist.
    """
    answers: list[Answer] = []
    room_ids = ANSWER_IDS_MAX
    for query in question.queries:
        _check_branch(query.path, query.digest)
        given = _answer_one(trie, query, room_ids)
        room_ids -= len(given.ids) + (BRANCHES // 2 if given.children else 0)
        answers.append(given)
    return Answers(tuple(answers))


def _answer_one(trie: Trie, query: Query, room_ids: int) -> Answer:
    if trie.digest(query.path) == query.digest:
        return Answer(Form.SAME, (), ())
    count = trie.count(query.path)
    # Where the asker has nothing, every id is part of the difference: listing many is not waste.
    listed_max = LEAF_IDS if query.digest else LISTED_IDS_MAX
    if count <= listed_max or len(query.path) == DEPTH_MAX:
        if count > min(room_ids, LISTED_IDS_MAX):
            return Answer(Form.LATER, (), ())
        return Answer(Form.IDS, (), tuple(trie.ids(query.path)))
    if room_ids < BRANCHES:
        return Answer(Form.LATER, (), ())
    return Answer(Form.CHILDREN, trie.children(query.path), ())


class Session:
    """The asker's half: `question()` until it returns None, feeding each reply to `take()`.

    `wanted` are ids that only the other side has, `offered` those that only this side has; both are exact for the
    branches finished so far, and complete when `finished`. An answerer that never finishes is cut off after
    `RECONCILE_ROUNDS_MAX` rounds, and one that wants to be asked for more than `wanted_max` ids at once.
    """

    def __init__(self, trie: Trie, *, wanted_max: int = limits.RECORDS_MAX) -> None:
        self._trie = trie
        self._wanted_max = wanted_max
        self._frontier: list[bytes] = [b""]
        self._asked: list[bytes] = []
        self._rounds = 0
        self.wanted: set[Digest] = set()
        self.offered: set[Digest] = set()

    @property
    def finished(self) -> bool:
        return not self._frontier and not self._asked

    def question(self) -> Question | None:
        """The next round, or None when there is nothing left to ask or the rounds are used up."""
        if not self._frontier or self._rounds == limits.RECONCILE_ROUNDS_MAX:
            return None
        self._rounds += 1
        self._asked = self._frontier[: limits.RECONCILE_QUERIES_MAX]
        del self._frontier[: limits.RECONCILE_QUERIES_MAX]
        return Question(self._trie.salt, tuple(Query(path, self._trie.digest(path)) for path in self._asked))

    def take(self, reply: Answers) -> None:
        """Learn from the reply to the last question.

        Raises:
            Malformed: `reconcile-answer` when it does not answer what was asked.
            OverLimit: `reconcile-ids` when the other side claims more than `wanted_max` ids that are not here.
        """
        if len(reply.answers) != len(self._asked):
            raise Malformed("reconcile-answer", field="count")
        asked, self._asked = self._asked, []
        for path, given in zip(asked, reply.answers, strict=True):
            self._take_one(path, given)
        if len(self.wanted) > self._wanted_max:
            raise OverLimit("reconcile-ids", limit=self._wanted_max)

    def _take_one(self, path: bytes, given: Answer) -> None:
        if given.form is Form.LATER:
            self._frontier.append(path)
        elif given.form is Form.IDS:
            self._take_ids(path, given.ids)
        elif given.form is Form.CHILDREN:
            self._take_children(path, given.children)

    def _take_ids(self, path: bytes, ids: tuple[Digest, ...]) -> None:
        theirs = Trie(self._trie.salt, ids)
        if theirs.count(path) != len(ids):
            raise Malformed("reconcile-answer", field="ids")
        mine = set(self._trie.ids(path))
        self.wanted |= set(ids) - mine
        self.offered |= mine - set(ids)

    def _take_children(self, path: bytes, children: tuple[bytes, ...]) -> None:
        if len(children) != BRANCHES or len(path) == DEPTH_MAX:
            raise Malformed("reconcile-answer", field="children")
        for nibble, theirs in enumerate(children):
            branch = path + bytes((nibble,))
            _check_branch(branch, theirs)
            if theirs == self._trie.digest(branch):
                continue
            if theirs == _NOTHING:
                self.offered.update(self._trie.ids(branch))
            else:
                self._frontier.append(branch)


def encode_question(question: Question) -> bytes:
    return encode(question)


def decode_question(data: bytes) -> Question:
    return decode(Question, data, size_bytes_max=limits.CALL_BYTES_MAX)


def encode_answers(answers: Answers) -> bytes:
    return encode(answers)


def decode_answers(data: bytes) -> Answers:
    return decode(Answers, data, size_bytes_max=limits.CALL_BYTES_MAX)


def _check_branch(path: bytes, digest: bytes) -> None:
    if any(nibble >= BRANCHES for nibble in path) or len(digest) not in (0, DIGEST_BYTES):
        raise Malformed("reconcile-path", path=path)
