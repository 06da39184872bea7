"""Events of a run in plain words, for `maillon sim explain`.

What the simulator does has a sentence for each kind of event and fault; what nodes say in their own logs has one
where it is part of a share's story, and is shown as it was said otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.text import N_, _
from sim.run.explain import Event

_EVENTS: Mapping[str, str] = {
    "settled": N_("The federation stands. From now on clients work, and faults strike."),
    "node-started": N_("{node} starts."),
    "node-died": N_("{node} dies: whatever it was doing ends here."),
    "node-stopped": N_("{node} signs off, says goodbye and ends."),
    "node-start-failed": N_("{node} cannot start: {error}"),
    "lie": N_("{node} lies ({lie}): {told}"),
    "faults-stop": N_("The faults stop: links and disks are well, clocks right, and everybody who can runs again."),
    "violation": N_("A promise is broken ({law}): {told}"),
}
_FAULTS: Mapping[str, str] = {
    "kill": N_("The process of {node} is killed."),
    "power-cut": N_("The power of {node} is cut: what was not synced may be lost or torn."),
    "stop": N_("{node} is told to stop."),
    "start": N_("{node} is to start again."),
    "wipe": N_("The disks of {node} are lost; only its identity is left."),
    "destroy": N_("{node} is destroyed, for good."),
    "roll-back": N_("The disks of {node} are again as they were when it last started."),
    "disk-error": N_("The disk of {node} fails: {point} gives {error}, with a chance of {chance}."),
    "disk-full": N_("The disk of {node} is nearly full: {free} bytes are left."),
    "disk-slow": N_("The disk of {node} is slow: {delay_ms} ms each time."),
    "disk-well": N_("The disk of {node} works again."),
    "rot": N_("{bits} bits flip on the disk of {node}, in {where}."),
    "partition": N_("{nodes} are cut off from the others ({direction})."),
    "silence": N_("What {node} sends and should receive vanishes."),
    "heal": N_("Every partition and silence ends."),
    "links": N_(
        "The links of {nodes} change: {latency_min_ms} to {latency_max_ms} ms, {send_loss} of messages lost."
    ),
    "links-well": N_("All links are well."),
    "clock": N_("The clock of {node} is wrong by {skew_s} s."),
    "lie": N_("{node} begins to lie: {lie}."),
    "armed": N_("{node} is to end ({action}) when it next comes by {point}."),
    "overwrite": N_("{node} ends, and its files are written over with garbage."),
    "update": N_("{node} starts again with another version: {version}."),
    "take-over": N_("{node} takes over the namespace of {gateway}."),
    "leave": N_("{node} tells everybody that it leaves."),
    "expel": N_("The organisation of {node} is expelled."),
    "crowd": N_("Clients ask {factor} times as often as before."),
}
_SAID: Mapping[str, str] = {
    "share.kept": N_("{node} keeps share {share} of block {block}."),
    "share.not-kept": N_("{node} does not keep share {share} of block {block}: {error}."),
    "share.released": N_("{node} deletes share {share} of block {block}, as its owner wants."),
    "block.placed": N_("{node} has sent the shares of block {block}; missing so far: {missing}."),
    "block.completed": N_("{node} knows all shares of block {block} to be in their places."),
    "block.released": N_("{node} has every holder's word that block {block} is deleted."),
    "object.named": N_("{node} writes into its journal that version {version} is in blocks {blocks}."),
    "pack.holds": N_("{node} writes small objects together into block {block}."),
    "member": N_("{node} takes {about} for {now}; before: {before}."),
    "peer-turned-away": N_("{node} turns a connection away."),
}
_INLINE = N_("{node} writes version {version} whole into its journal.")


class _Shown(dict[str, str]):
    """Details ready to show; one that is missing shows as a question mark."""

    def __missing__(self, key: str) -> str:
        return "?"


def in_words(event: Event, names: Mapping[str, str]) -> str:
    """A sentence; `names` says which node an id is."""
    shown = _Shown({name: _text(value, names) for name, value in event.items()})
    match event["event"]:
        case "call":
            return _call(shown)
        case "acknowledged":
            return _acknowledged(shown)
        case "healed":
            return _healed(event)
        case "fault":
            template = _FAULTS.get(event["kind"])
        case "said" if event["what"] == "object.named" and not event["blocks"]:
            template = _INLINE
        case "said":
            template = _SAID.get(event["what"])
        case other:
            template = _EVENTS.get(other)
    return _as_it_is(event, shown) if template is None else _(template).format_map(shown)


def _call(shown: _Shown) -> str:
    if shown["answer"] == "done":
        return _("{gateway} answers its client's {call} of {key} after {took_s} s.").format_map(shown)
    return _("{gateway} answers its client's {call} of {key} with {answer}, after {took_s} s.").format_map(shown)


def _acknowledged(shown: _Shown) -> str:
    if shown["call"] == "put":
        return _("From now on write {write} of {key} must never be lost.").format_map(shown)
    return _("From now on {key} is deleted, by write {write}.").format_map(shown)


def _healed(event: Event) -> str:
    if event.get("after_s") is None:
        return _("The federation did not become whole again in time.")
    return _("All is whole again, {after_s} s after the faults stopped.").format(after_s=event["after_s"])


def _as_it_is(event: Event, shown: _Shown) -> str:
    skipped = ("t", "event", "node", "level", "what")
    details = ", ".join(f"{name}={value}" for name, value in shown.items() if name not in skipped)
    what = event.get("what", event["event"])
    said = _("{node} says: {what}") if event.get("node") else "{what}"
    return said.format(node=event.get("node"), what=f"{what} ({details})" if details else what)


def _text(value: Any, names: Mapping[str, str]) -> str:
    if isinstance(value, list):
        return ", ".join(_text(item, names) for item in value) or _("all")
    if isinstance(value, float):
        return f"{value:g}"
    return names.get(value, value) if isinstance(value, str) else str(value)
