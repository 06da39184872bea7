"""The scenarios in which mistakes are looked for: small, short, with timers so quick that much happens in seconds.

They say only which faults there are and how often; when, where and to whom is drawn from the seed. The same seeds of
the same scenarios are played without any mistake: then nothing may be found.
"""

from __future__ import annotations

from sim.scenario.model import Scenario
from sim.scenario.reading import parse

# What all of them have: a federation of five that heals within seconds.
_QUICK = """
[federation]
nodes = 5
[node.vault]
complete_after_s = 1.5
settle_after_s = 2
checkpoint_after_s = 4
release_every_s = 1
pack_every_s = 3
journal_lease_s = 2
journal_repair_after_s = 5
straggler_wait_s = 0.3
put_deadline_s = 5
get_deadline_s = 5
retry_s = 0.5
[node.gossip]
suspicion_s = 1.0
reconcile_interval_s = 4
[node.transport]
backoff_most_s = 2
ping_every_s = 3
silent_after_s = 8
[workload]
pause_s = 0.5
keys = 4
large = "300 kB"
[phases]
safety_s = 9
heal_within_s = 60
check_every_s = 3
"""

_STORM = """
kill_every_s = 5
power_every_s = 4
down_s = 2
partition_every_s = 5
lasting_s = 2
lossy_every_s = 6
"""
_CHANCES = {
    # Processes end, machines lose power, links are cut and lose messages.
    "storm": _STORM,
    # As in a storm, where two organisations have three nodes each.
    "few": _STORM,
    # As in a storm, with little memory.
    "narrow": _STORM + "disk_every_s = 2",
    # Nothing happens but bits that flip on disks.
    "rot": "rot_every_s = 0.1",
    # As in a storm, but two nodes may be away at a time, and a put wants four of the five.
    "strict": _STORM + "away_most = 2",
    # A calm day, on which as much is deleted as is put, and checkpoints follow each other.
    "tidy": "",
    # Programs are ended, in good order, and started again; and clocks jump.
    "farewells": "clock_every_s = 1.5",
}

# Where a scenario says something else than the others.
_OTHERWISE = {
    "few": (("nodes = 5", 'nodes = 6\norganisations = 2\ncode = "2/4"'), ("pause_s = 0.5", "pause_s = 0.2")),
    "strict": (("nodes = 5", 'nodes = 5\ncode = "2/5"\nmargin = 2'),),
    "amnesia": (
        ("checkpoint_after_s = 4", "checkpoint_after_s = 600"),
        ("settle_after_s = 2", "settle_after_s = 60"),
    ),
    "heirs": (("pause_s = 0.5", "pause_s = 0.2"),),
    "rivals": (("pause_s = 0.5", "pause_s = 0.15"),),
    "ousted": (("pause_s = 0.5", "pause_s = 0.2"), ("keys = 4", "keys = 8")),
    "farewells": (
        ("[workload]", '[churn]\nmodel = "exponential"\nend = "stop"\nup_s = 8\ndown_s = 1\n[workload]'),
        ("heal_within_s = 60", "heal_within_s = 20"),
    ),
    "narrow": (("[node.vault]", "[node.vault]\ndesks = 1"),),
    "tidy": (
        ("checkpoint_after_s = 4", "checkpoint_after_s = 1.5"),
        ("settle_after_s = 2", "settle_after_s = 1"),
        ("keys = 4", "keys = 6\nremoves = 8"),
        ("pause_s = 0.5", "pause_s = 0.2"),
    ),
}

# All machines lose their power at one moment, in the middle of everything.
_BLACKOUT = "".join(
    f'[[fault]]\nat_s = {at_s}\nkind = "{kind}"\nnode = "n{number}"\n'
    for at_s, kind in ((6, "power-cut"), (6.5, "start"))
    for number in range(1, 6)
)

_LEFT_BEHIND = """
[[fault]]
at_s = 2
kind = "partition"
nodes = ["n5"]
[[fault]]
at_s = 4
kind = "kill"
node = "n1"
[[fault]]
at_s = 4.1
kind = "heal"
"""


def _taken_over(*turns: tuple[float, str]) -> str:
    """The namespace of n1 goes from hand to hand, and clients ask all who ever had it."""
    return "".join(
        f'[[fault]]\nat_s = {at_s}\nkind = "take-over"\nnode = "{node}"\ngateway = "n1"\n' for at_s, node in turns
    )


_PLANNED = {
    "blackout": _BLACKOUT,
    "amnesia": _BLACKOUT,
    # One holder is behind when the gateway dies, and there again when another takes over.
    "heirs": _LEFT_BEHIND + _taken_over((4.5, "n2")),
    "rivals": _taken_over((1.5, "n2"), (3.5, "n3"), (5.5, "n1"), (7.5, "n2")),
    # Who had the namespace until then obeys no rules.
    "ousted": '[[fault]]\nat_s = 0\nkind = "lie"\nnode = "n1"\nlie = "releases-late"\n' + _taken_over((4, "n2")),
}

SCENES = tuple(dict.fromkeys((*_CHANCES, *_PLANNED)))


def scene(name: str) -> Scenario:
    """The scenario of this name."""
    text = f'name = "{name}"\n{_QUICK}'
    for before, after in _OTHERWISE.get(name, ()):
        text = text.replace(before, after)
    return parse(f"{text}{_PLANNED.get(name, '')}[chance]\n{_CHANCES.get(name, '')}\n")
