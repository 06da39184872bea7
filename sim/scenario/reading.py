"""From a scenario's file to a `Scenario`, refused when it contradicts itself.

What one section says can be wrong only together with another: a code that needs more nodes than there are, a fault
that strikes a node nobody has. All of that is found here, before anything runs.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from dataclasses import fields, replace
from pathlib import Path
from typing import Final

from node.declared import read_section, wrong_value
from protocol.errors import Malformed, Missing
from protocol.limits import (
    NODES_PER_ORGANISATION_MAX,
    NODES_PER_PENDING_ORGANISATION_MAX,
    ORGANISATIONS_ADMITTED_MAX,
)
from protocol.placement.classes import Code, standard_classes
from sim.faults import points
from sim.faults.kinds import Links, Planned, TakeOver, nodes_of
from sim.faults.listing import in_order, planned_from
from sim.scenario.dealing import deal
from sim.scenario.model import (
    ChanceSection,
    FederationSection,
    NetworkSection,
    Scenario,
    WorkloadSection,
    unplanned,
)
from sim.scenario.planning import FAULTS_MOST, spread_out
from sim.scenario.trace import read_trace, text_in

SHIPPED: Final = Path(__file__).parent / "shipped"
_CODE: Final = re.compile(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,3})")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,63}")
NODES_MOST: Final = 5_000
ORGANISATIONS_LEAST: Final = 2  # who has nobody to keep its shares has no federation
OBJECT_BYTES_MOST: Final = 2**30  # an object is made in memory, and again for each node that keeps a copy


def shipped() -> tuple[str, ...]:
    """The names of the scenarios that come with the program."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.toml")))


def load(given: str) -> Scenario:
    """The scenario in a file, or the shipped one of this name.

    Raises:
        Missing: `scenario-absent`. Malformed: `config-…`, `scenario-…`.
    """
    return parse(text_of(given), path=given)


def text_of(given: str) -> str:
    """What stands in a scenario's file, or in the shipped one of this name.

    Raises:
        Missing: `scenario-absent`. Malformed: `scenario-unreadable`, `config-syntax`.
    """
    path = Path(given)
    if not path.suffix and given in shipped():
        path = SHIPPED / f"{given}.toml"
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise Missing("scenario-absent", path=given, known=shipped()) from error
    except OSError as error:
        raise Malformed("scenario-unreadable", path=given or ".", problem=error.strerror or str(error)) from error
    except ValueError as error:  # not UTF-8, or no path
        raise Malformed("config-syntax", path=given, problem=str(error)) from error


def parse(text: str, *, path: str = "scenario") -> Scenario:
    """The scenario that `text` says; `path` is named in errors, and a trace is looked for beside it."""
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # no TOML, a number of a thousand digits, too many brackets
        raise Malformed("config-syntax", path=path, problem=str(error)) from error
    rest, faults = unplanned(table)
    if "faults" in rest:
        raise wrong_value(path, "faults", "[[fault]] sections", rest["faults"])
    read = read_section(Scenario, rest, "", path)
    _check_federation(read, path)
    planned = planned_from(spread_out(faults, read.federation, path), path) if faults else ()
    if read.churn.model == "trace":
        if not read.churn.trace:
            raise wrong_value(path, "churn.trace", 'the name of a file, as churn.model is "trace"', "")
        planned = in_order([*planned, *read_trace(trace_path(path, read.churn.trace), read.churn)])
    scenario = with_faults(read, planned)
    check(scenario, path)
    return scenario


def with_faults(scenario: Scenario, faults: tuple[Planned, ...]) -> Scenario:
    """The same scenario with these planned faults."""
    return replace(scenario, faults=faults)


def code_of(scenario: Scenario, path: str = "scenario") -> Code | None:
    """The code of every class; None for the preset. Raises Malformed."""
    federation = scenario.federation
    if federation.code == "auto":
        return None
    found = _CODE.fullmatch(federation.code)
    if found is None:
        raise wrong_value(path, "federation.code", '"auto" or K/N, such as "3/6"', federation.code)
    k, n = int(found[1]), int(found[2])
    if k >= n:
        raise Malformed("scenario-code", path=path, k=k, n=n)
    try:
        return Code(k, n, federation.margin)
    except Malformed as error:
        raise Malformed("scenario-margin", path=path, code=federation.code, margin=federation.margin) from error


def check(scenario: Scenario, path: str) -> None:
    """Raises Malformed(`scenario-…` | `config-value`) for what contradicts itself."""
    _check_federation(scenario, path)
    _check_draws(scenario, path)
    _check_faults(scenario, path)


def _check_federation(scenario: Scenario, path: str) -> None:
    if not _NAME.fullmatch(scenario.name):
        raise wrong_value(path, "name", "letters, digits, spaces and hyphens: folders are named so", scenario.name)
    federation = scenario.federation
    code = code_of(scenario, path)
    if federation.nodes > NODES_MOST:
        raise wrong_value(path, "federation.nodes", f"a whole number up to {NODES_MOST}", federation.nodes)
    if code is not None and federation.nodes < code.n:
        raise Malformed("scenario-shares", path=path, code=federation.code, n=code.n, nodes=federation.nodes)
    if federation.organisations > federation.nodes:
        raise Malformed(
            "scenario-organisations", path=path, organisations=federation.organisations, nodes=federation.nodes
        )
    if not federation.jurisdictions:
        raise wrong_value(path, "federation.jurisdictions", "one or more", federation.jurisdictions)
    if federation.gateways > federation.nodes:
        raise Malformed("scenario-gateways", path=path, gateways=federation.gateways, nodes=federation.nodes)
    classes = tuple(each.name for each in standard_classes())
    if federation.data_class not in classes:
        raise wrong_value(path, "federation.data_class", " or ".join(classes), federation.data_class)
    most = min(NODES_PER_PENDING_ORGANISATION_MAX, federation.nodes - federation.gateways)
    if federation.pending > most:
        raise wrong_value(path, "federation.pending", f"a whole number up to {most}", federation.pending)
    _check_houses(federation, path)
    _check_latency(scenario.network, "network.", path)
    _check_work(scenario.workload, path)


def _check_latency(links: NetworkSection | Links, where: str, path: str) -> None:
    if links.latency_min_ms > links.latency_max_ms:
        raise wrong_value(path, f"{where}latency_min_ms", "no more than latency_max_ms", links.latency_min_ms)


def _check_work(work: WorkloadSection, path: str) -> None:
    if work.clients and not work.puts + work.gets + work.removes + work.lists:
        raise wrong_value(path, "workload.puts", "more than 0, or one of gets, removes and lists", work.puts)
    for key, size_bytes in (("small", work.small_bytes), ("large", work.large_bytes)):
        if size_bytes > OBJECT_BYTES_MOST:
            raise wrong_value(path, f"workload.{key}", f"no more than {OBJECT_BYTES_MOST} bytes", size_bytes)


def _check_draws(scenario: Scenario, path: str) -> None:
    """What is drawn can be drawn, and is not more than anybody can look at."""
    chance, churn, length_s = scenario.chance, scenario.churn, scenario.phases.safety_s
    for point in chance.points or ("",):
        if point not in points.POINTS:
            raise wrong_value(path, "chance.points", "one or more of " + ", ".join(points.POINTS), point)
    if chance.away_most > scenario.federation.nodes:
        raise wrong_value(path, "chance.away_most", "no more than the nodes there are", chance.away_most)
    for declared in fields(ChanceSection):
        every_s = getattr(chance, declared.name) if declared.name.endswith("_every_s") else 0.0
        if every_s and length_s / every_s > FAULTS_MOST:
            expected = f"so long that no more than {FAULTS_MOST} faults strike"
            raise wrong_value(path, f"chance.{declared.name}", expected, every_s)
    if churn.model != "none" and scenario.federation.nodes * length_s / (churn.up_s + churn.down_s) > FAULTS_MOST:
        expected = f"so long that nodes come and go no more than {FAULTS_MOST} times"
        raise wrong_value(path, "churn.up_s", expected, churn.up_s)


def _check_houses(federation: FederationSection, path: str) -> None:
    """A federation admits so many organisations, and takes so many nodes of each."""
    seats = Counter(seat.organisation for seat in deal(federation) if not seat.is_pending)
    if len(seats) > ORGANISATIONS_ADMITTED_MAX:
        raise Malformed(
            "scenario-organisations-many", path=path, organisations=len(seats), limit=ORGANISATIONS_ADMITTED_MAX
        )
    if len(seats) < ORGANISATIONS_LEAST:
        raise Malformed("scenario-organisations-few", path=path, organisations=len(seats), needed=ORGANISATIONS_LEAST)
    nodes = max(seats.values())
    if nodes > NODES_PER_ORGANISATION_MAX:
        raise Malformed(
            "scenario-organisation-nodes",
            path=path,
            organisations=len(seats),
            nodes=nodes,
            limit=NODES_PER_ORGANISATION_MAX,
        )


def _check_faults(scenario: Scenario, path: str) -> None:
    names = {f"n{number}" for number in range(1, scenario.federation.nodes + 1)}
    gateways = [f"n{number}" for number in range(1, scenario.federation.gateways + 1)]
    for spared in scenario.churn.spared:
        if spared not in names:
            raise wrong_value(path, "churn.spared", f"nodes from n1 to n{len(names)}", spared)
    for place, planned in enumerate(scenario.faults, 1):
        for node in nodes_of(planned.fault):
            if node not in names:
                raise Malformed("scenario-node", path=path, place=place, node=node, nodes=len(names))
        if planned.at_s > scenario.phases.safety_s:
            at_s, safety_s = f"{planned.at_s:g}", f"{scenario.phases.safety_s:g}"
            raise Malformed("scenario-late", path=path, place=place, at_s=at_s, safety_s=safety_s)
        if isinstance(planned.fault, TakeOver) and planned.fault.gateway not in gateways:
            raise wrong_value(path, f"fault {place}: gateway", " or ".join(gateways), planned.fault.gateway)
        if isinstance(planned.fault, Links):
            _check_latency(planned.fault, f"fault {place}: ", path)


def trace_of(scenario: Scenario, path: str) -> str:
    """What stands in the trace of a scenario that was read from `path`; nothing when it has none."""
    if scenario.churn.model != "trace":
        return ""
    return text_in(trace_path(path, scenario.churn.trace))


def trace_path(path: str, trace: str) -> Path:
    """The trace of a scenario: as it says from where it lies, or just beside it (a run's folder has a copy), or among
    those that come with the program."""
    said, beside, shipped_one = Path(path).parent / trace, Path(path).parent / Path(trace).name, SHIPPED / trace
    return next((found for found in (said, beside, shipped_one) if found.is_file()), said)
