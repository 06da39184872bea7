"""One client's life: mixed work on keys of its own, a record of what was acknowledged, and every answer judged by it.

Nobody else writes a client's keys, so after each acknowledgement it knows what a key must show, to the byte. A
request that failed for good leaves a key in doubt: it may show what it did before or what was being written, until
it is read. A few keys belong to all, and are written by all: what they show must be whole, and some client's.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio

from tests.soak.asking import MISSING, OK, PARTIAL, Found, Store, Unabsorbed

KEYS = 16
SHARED_KEYS = 4
KIB, MIB = 1_024, 2**20
PART_BYTES = 5 * MIB
NAME_BYTES = 16


class Wrong(Exception):
    """The door showed something else than what it had acknowledged."""


@dataclass(frozen=True, slots=True)
class Value:
    """What was written: bytes that nobody can guess, told by a number; an upload in parts has a boundary."""

    number: int
    size_bytes: int

    @property
    def data(self) -> bytes:
        return random.Random(self.number).randbytes(self.size_bytes)


# What a key may show: a value, or (None) that there is no such key. More than one while in doubt.
Doubt = frozenset[Value | None]
NOTHING: Doubt = frozenset({None})


@dataclass(slots=True)
class Done:
    """How often each kind of work was done by all, how long each took, and what went wrong."""

    calls_s: dict[str, list[float]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    unabsorbed: list[str] = field(default_factory=list)
    numbers: Counter[str] = field(default_factory=Counter)


class Client:
    """Client number `number`. `done` is shared by all."""

    def __init__(self, number: int, store: Store, done: Done, seed: int) -> None:
        self._store = store
        self._done = done
        self._chance = random.Random(seed * 1_000 + number)
        self._prefix = f"client-{number:03d}/"
        self._shows: dict[str, Doubt] = {f"{self._prefix}{at:02d}": NOTHING for at in range(KEYS)}
        self._etags: dict[str, str] = {}
        work: dict[Callable[[], Awaitable[None]], int] = {
            self._put: 24, self._get: 26, self._range: 8, self._head: 6, self._delete: 5, self._copy: 5,
            self._list: 5, self._create: 5, self._replace: 6, self._upload: 1,
            self._put_shared: 4, self._get_shared: 5,
        }  # fmt: skip
        self._kinds, self._weights = list(work), list(work.values())

    async def work(self, until_s: float) -> None:
        """Mixed work, one request after the other, until then."""
        while trio.current_time() < until_s:
            (kind,) = self._chance.choices(self._kinds, self._weights)
            await self._judged(kind.__name__.lstrip("_"), kind)

    async def read_all(self) -> None:
        """At the end: every key, and the listing of all of them."""
        for key in self._shows:
            await self._judged("last get", lambda key=key: self._read(key))  # type: ignore[misc]
        await self._judged("last list", self._list)

    async def _judged(self, name: str, kind: Callable[[], Awaitable[None]]) -> None:
        began_s = trio.current_time()
        try:
            await kind()
        except Unabsorbed as error:
            self._done.unabsorbed.append(f"{name}: {error}")
        except Wrong as error:
            self._done.wrong.append(f"{name}: {error}")
        self._done.calls_s.setdefault(name, []).append(trio.current_time() - began_s)

    # --- work

    async def _put(self) -> None:
        await self._write(self._any_key(), self._new_value())

    async def _create(self) -> None:
        """If nobody has the key yet."""
        key, value = self._any_key(), self._new_value()
        before = self._shows[key]
        found = await self._write(key, value, if_none_match=True)
        # An earlier attempt of the same request may have made it.
        if (found.status == OK) != (before == NOTHING) and found.attempts == 1 and len(before) == 1:
            raise Wrong(f"{key}: {found.status} for If-None-Match, but it was {before}")

    async def _replace(self) -> None:
        """If the key shows what was acknowledged last, or, every other time, what it does not."""
        key = self._any_key()
        etag = self._etags.get(key, "")
        if len(self._shows[key]) > 1 or not etag:
            return
        right = self._chance.random() < 0.5
        found = await self._write(key, self._new_value(), if_match=etag if right else "0" * 32)
        if (found.status == OK) != right and found.attempts == 1:
            raise Wrong(f"{key}: {found.status} for If-Match of {'the right' if right else 'another'} ETag")

    async def _write(self, key: str, value: Value, *, if_match: str = "", if_none_match: bool = False) -> Found:
        before = self._shows[key]
        self._shows[key] = before | {value}
        found = await self._store.put(key, value.data, if_match=if_match, if_none_match=if_none_match)
        if found.status == OK:
            self._know(key, value, found.etag)
        elif found.attempts == 1:
            self._shows[key] = before  # refused, and nobody else had asked
        else:
            await self._read(key)
        return found

    async def _upload(self) -> None:
        key = self._any_key()
        value = Value(self._chance.getrandbits(63), PART_BYTES + self._chance.randint(1, 2 * MIB))
        data = value.data
        self._shows[key] |= {value}
        found = await self._store.upload(key, [data[:PART_BYTES], data[PART_BYTES:]])
        self._know(key, value, found.etag)

    async def _copy(self) -> None:
        source, key = self._any_key(), self._any_key()
        if source == key or len(self._shows[source]) > 1 or self._shows[source] == NOTHING:
            return
        (value,) = self._shows[source]
        self._shows[key] |= {value}
        found = await self._store.copy(source, key)
        if found.status != OK:
            raise Wrong(f"copy of {source}: {found.status}")
        self._know(key, value, found.etag)

    async def _delete(self) -> None:
        key = self._any_key()
        self._shows[key] |= NOTHING
        await self._store.delete(key)
        self._know(key, None, "")

    async def _get(self) -> None:
        await self._read(self._any_key())

    async def _range(self) -> None:
        key = self._any_key()
        (value, *others) = self._shows[key]
        if others or value is None or not value.size_bytes:
            return
        first = self._chance.randrange(value.size_bytes)
        end = min(value.size_bytes, first + self._chance.randint(1, 64 * KIB))
        found = await self._store.get(key, (first, end))
        if found.status not in (OK, PARTIAL) or found.body != value.data[first:end]:
            raise Wrong(f"{key}, bytes {first} to {end}: {found.status}, {len(found.body)} bytes")

    async def _head(self) -> None:
        key = self._any_key()
        found = await self._store.head(key)
        fitting = any(_fits(found, value) for value in self._shows[key])
        if not fitting or (len(self._shows[key]) == 1 and found.etag != self._etags.get(key, "")):
            raise Wrong(f"{key}: HEAD found {found}, not {self._shows[key]} {self._etags.get(key)}")

    async def _list(self) -> None:
        listed = {entry.key: entry for entry in await self._store.list(self._prefix)}
        for key, shows in self._shows.items():
            entry = listed.pop(key, None)
            if not any(_lists(entry.size_bytes if entry else None, value) for value in shows):
                raise Wrong(f"{key} is listed as {entry}, not as {shows}")
            if entry is not None and len(shows) == 1 and entry.etag != self._etags[key]:
                raise Wrong(f"{key} is listed as {entry}, not with {self._etags[key]}")
        if listed:
            raise Wrong(f"listed and never acknowledged: {listed}")

    async def _read(self, key: str) -> None:
        found = await self._store.get(key)
        for value in self._shows[key]:
            if (value is None and found.status == MISSING) or (
                value is not None and found.status == OK and found.body == value.data
            ):
                self._know(key, value, found.etag)
                return
        raise Wrong(f"{key}: {found.status}, {len(found.body)} bytes, not {self._shows[key]}")

    async def _put_shared(self) -> None:
        number = self._chance.getrandbits(8 * NAME_BYTES - 1)
        size_bytes = self._chance.randint(1, 16 * KIB)
        await self._store.put(self._shared_key(), shared_data(number, size_bytes))

    async def _get_shared(self) -> None:
        key = self._shared_key()
        found = await self._store.get(key)
        if found.status == MISSING:
            return
        number = int.from_bytes(found.body[:NAME_BYTES], "big")
        if found.body != shared_data(number, len(found.body) - NAME_BYTES):
            raise Wrong(f"{key} is a mix, or damaged: {len(found.body)} bytes")

    # --- keys and values

    def _know(self, key: str, value: Value | None, etag: str) -> None:
        self._shows[key] = frozenset({value})
        self._etags[key] = etag

    def _any_key(self) -> str:
        return self._chance.choice(list(self._shows))

    def _shared_key(self) -> str:
        return f"shared/{self._chance.randrange(SHARED_KEYS)}"

    def _new_value(self) -> Value:
        (most,) = self._chance.choices((8 * KIB, 64 * KIB, MIB), (6, 3, 1))
        return Value(self._chance.getrandbits(63), self._chance.randint(0, most))


def shared_data(number: int, size_bytes: int) -> bytes:
    """Says itself who wrote it, so that whoever reads it knows the rest."""
    return number.to_bytes(NAME_BYTES, "big") + random.Random(number).randbytes(size_bytes)


def _fits(found: Found, value: Value | None) -> bool:
    if value is None:
        return found.status == MISSING
    return found.status == OK and found.size_bytes == value.size_bytes


def _lists(size_bytes: int | None, value: Value | None) -> bool:
    return size_bytes == (None if value is None else value.size_bytes)
