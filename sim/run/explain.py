"""Picking one story out of a run's log: what concerns one node, one block, or one key.

The story of a block is also that of the nodes that keep its shares, while they keep them: their deaths and their
faults belong to it. A key's story is that of the blocks that its acknowledged versions are in. What everybody lives
through (the faults stop, a promise is broken) belongs to every story.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sim.oracle.content import MARK

# A line of the log: the names of its details depend on the event.
Event = Mapping[str, Any]

_EVERYBODYS: Final = ("settled", "faults-stop", "healed", "violation")
_LIVES: Final = ("node-started", "node-died", "node-stopped", "node-start-failed")
_FOR_ALL: Final = ("heal", "links-well")


@dataclass(frozen=True, slots=True)
class Node:
    """The story of one node; `identity` is how the others' logs call it."""

    name: str
    identity: str


@dataclass(frozen=True, slots=True)
class Block:
    """The story of the block whose id begins so."""

    beginning: str


@dataclass(frozen=True, slots=True)
class Key:
    """The story of one key of the clients, with or without the mark that all of them carry."""

    key: str


def story(events: Sequence[Event], focus: Node | Block | Key) -> list[Event]:
    """The events that belong to the story, in order; none when the run does not know it."""
    match focus:
        case Node():
            chosen = [event for event in events if _concerns(event, focus.name, focus.identity)]
            return _with_everybodys(events, chosen)
        case Block():
            return _with_everybodys(events, list(_Blocks(beginning=focus.beginning).of(events)))
        case Key():
            calls = [event for event in events if _is_of(event.get("key"), focus.key)]
            versions = {str(event["version"]) for event in calls if "version" in event}
            blocks = set(_blocks_of(events, versions))
            return _with_everybodys(events, [*calls, *_Blocks(blocks=blocks, versions=versions).of(events)])


@dataclass(slots=True)
class _Blocks:
    """Follows some blocks through the log, and who keeps them."""

    beginning: str = ""
    blocks: set[str] = field(default_factory=set)
    versions: set[str] = field(default_factory=set)
    keepers: dict[str, set[str]] = field(default_factory=dict)

    def of(self, events: Iterable[Event]) -> Iterator[Event]:
        for event in events:
            named = [block for block in _named(event) if self._is_meant(block)]
            for block in named:
                self._follow(event, block)
            if named or self.versions.intersection(_versions(event)) or self._strikes_a_keeper(event):
                yield event

    def _is_meant(self, block: str) -> bool:
        return block in self.blocks or (bool(self.beginning) and block.startswith(self.beginning))

    def _follow(self, event: Event, block: str) -> None:
        keepers = self.keepers.setdefault(block, set())
        if event.get("what") == "share.kept":
            keepers.add(event["node"])
        elif event.get("what") == "share.released":
            keepers.discard(event["node"])

    def _strikes_a_keeper(self, event: Event) -> bool:
        if event["event"] not in (*_LIVES, "fault"):
            return False
        return any(node in keepers for node in _struck(event) for keepers in self.keepers.values())


def _concerns(event: Event, name: str, identity: str) -> bool:
    if event["event"] == "fault":
        return name in _struck(event) or event["kind"] in _FOR_ALL or event.get("nodes") == []
    return name in (event.get("node"), event.get("gateway")) or event.get("about") in (name, identity)


def _with_everybodys(events: Sequence[Event], chosen: Sequence[Event]) -> list[Event]:
    """In the order of the log, each once."""
    if not chosen:
        return []
    wanted = {id(event) for event in chosen}
    return [event for event in events if id(event) in wanted or event["event"] in _EVERYBODYS]


def _struck(event: Event) -> list[str]:
    """The nodes that a fault, or a life's begin or end, is about."""
    return [event["node"]] if "node" in event else list(event.get("nodes", ()))


def _named(event: Event) -> list[str]:
    return [event["block"]] if "block" in event else list(event.get("blocks", ()))


def _versions(event: Event) -> list[str]:
    return [event["version"]] if "version" in event else list(event.get("versions", ()))


def _blocks_of(events: Iterable[Event], versions: set[str]) -> Iterator[str]:
    """Where these versions are: in blocks of their own, or in packs."""
    for event in events:
        if versions.intersection(_versions(event)):
            yield from _named(event)


def _is_of(found: object, key: str) -> bool:
    return bool(key) and found in (key, f"{MARK.decode()} {key}")
