"""`maillon sim explain`: one story out of a run's log, in plain words."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from node.cli.exits import CODES
from protocol.ids import short_text_of
from sim.cli import telling, words
from sim.cli.words import in_words
from sim.faults.kinds import KINDS, Kill, Planned
from sim.federation.federation import cast_of
from sim.oracle.content import MARK
from sim.run.explain import Block, Key, Node, story
from sim.run.folder import EVENTS, Plan, events_in
from sim.run.recorded import record
from sim.scenario.reading import parse
from tests.support.sim_program import maillon_sim

ROOT = Path(__file__).parents[2]
SCENARIO = (
    'name = "told"\n[phases]\nsafety_s = 6\n[workload]\nkeys = 2\nsmall = "150 KB"\nlarge = "200 KB"\nputs = 9\n'
)
N4 = short_text_of(cast_of(parse(SCENARIO))["n4"].node)


def said(at_s: float, node: str, what: str, **details: object) -> dict[str, Any]:
    return {"t": at_s, "event": "said", "node": node, "level": "debug", "what": what, **details}


SETTLED = {"t": 0.5, "event": "settled"}
ACKNOWLEDGED = {"t": 1.3, "event": "acknowledged", "call": "put", "key": f"{MARK.decode()} 3", "version": "0a"}
NAMED = said(1.2, "n1", "object.named", version="0a", blocks=["aaaa"])
KEPT = said(1.1, "n2", "share.kept", block="aaaa", share=0)
OTHERS = said(1.1, "n3", "share.kept", block="bbbb", share=0)
STRUCK = {"t": 2.0, "event": "fault", "kind": "wipe", "node": "n2"}
ELSEWHERE = {"t": 2.1, "event": "fault", "kind": "wipe", "node": "n3"}
RELEASED = said(3.0, "n2", "share.released", block="aaaa", share=0)
LATER = {"t": 4.0, "event": "fault", "kind": "kill", "node": "n2"}
CUT = {"t": 5.0, "event": "fault", "kind": "partition", "nodes": ["n3", "n4"], "direction": "both"}
SUSPECTED = said(5.5, "n1", "member", about=N4, before="alive", now="suspect")
LOG = [SETTLED, KEPT, OTHERS, NAMED, ACKNOWLEDGED, STRUCK, ELSEWHERE, RELEASED, LATER, CUT, SUSPECTED]


def test_the_story_of_a_block_is_that_of_its_keepers_while_they_keep_it() -> None:
    assert story(LOG, Block("aa")) == [SETTLED, KEPT, NAMED, STRUCK, RELEASED]


def test_the_story_of_a_key_is_that_of_the_blocks_it_is_in() -> None:
    for key in ("3", f"{MARK.decode()} 3"):
        assert story(LOG, Key(key)) == [SETTLED, KEPT, NAMED, ACKNOWLEDGED, STRUCK, RELEASED]


def test_a_key_in_a_pack_is_followed_into_the_pack() -> None:
    packed = said(6.0, "n1", "pack.holds", block="cccc", versions=["09", "0a"])
    kept = said(5.9, "n5", "share.kept", block="cccc", share=1)
    assert {"cccc"} <= {event.get("block") for event in story([*LOG, kept, packed], Key("3"))}


def test_the_story_of_a_node_is_what_it_says_what_strikes_it_and_what_others_say_of_it() -> None:
    assert story(LOG, Node("n4", N4)) == [SETTLED, CUT, SUSPECTED]
    assert story(LOG, Node("n3", "other")) == [SETTLED, OTHERS, ELSEWHERE, CUT]


@pytest.mark.parametrize("focus", [Block("zz"), Key("4"), Node("n9", "none"), Block(""), Key("")])
def test_nothing_is_told_of_what_the_run_does_not_know(focus: Node | Block | Key) -> None:
    assert story(LOG, focus) == []


@pytest.mark.parametrize("event", LOG, ids=lambda event: str(event.get("what", event["event"])))
def test_events_have_words_without_holes(event: dict[str, Any]) -> None:
    told = in_words(event, {N4: "n4"})
    assert N4 not in told
    assert "?" not in told.replace(str(event), "") or event is ACKNOWLEDGED  # which says no number of a write here
    assert "{" not in told


def test_every_kind_of_fault_and_every_law_has_words() -> None:
    assert set(words._FAULTS) == set(KINDS)
    judges = [*sorted((ROOT / "sim" / "oracle").glob("*.py")), ROOT / "sim" / "run" / "play.py"]
    laws = {law for path in judges for law in re.findall(r'(?:Broken|_violate)\("([a-z-]+)"', path.read_text())}
    assert len(laws) > 5
    assert laws <= set(telling._LAWS)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "told-1"
    record(Plan(SCENARIO, parse(SCENARIO), 1, (Planned(4.0, Kill("n2")),)), folder, figures=False)
    return folder


def test_a_real_run_tells_where_a_key_went(run: Path) -> None:
    events = list(events_in(run))
    named = next(event for event in events if event.get("what") == "object.named" and event["blocks"])
    stored = next(event for event in events if event.get("version") == named["version"] and "key" in event)
    result = maillon_sim("explain", str(run), "--key", stored["key"], "--json")
    assert result.exit_code == 0, result.output
    whats = [moment["event"].get("what") for moment in json.loads(result.stdout)["moments"]]
    assert whats.count("share.kept") >= 3, "the shares of at least one block, on their holders"
    assert {"object.named", "block.placed"} <= set(whats)
    (block,) = named["blocks"]
    told = maillon_sim("explain", str(run), "--block", block[:6]).stdout
    kept, placed, written = (
        re.search(part, told) for part in (f"keeps share . of block {block}", "has sent", "writes")
    )
    assert kept
    assert placed
    assert written
    assert kept.start() < placed.start() < written.start()
    assert "n2 dies" in maillon_sim("explain", str(run), "--node", "n2").stdout


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ((), 2),
        (("--node", "n1", "--key", "3"), 2),
        (("--node", "n99"), CODES["missing"]),
        (("--block", "0000"), CODES["missing"]),
    ],
)
def test_what_cannot_be_explained_says_why(run: Path, asked: tuple[str, ...], code: int) -> None:
    result = maillon_sim("explain", str(run), *asked)
    assert result.exit_code == code
    assert result.stderr


@pytest.mark.parametrize(
    "line", [b"nonsense", b"\xff\xfe", b'{"t": 1.0, "event": "fault"}', b'{"t": true, "event": "x"}']
)
def test_a_log_that_is_none_is_named_with_its_line(line: bytes, tmp_path: Path) -> None:
    Plan(SCENARIO, parse(SCENARIO), 1, ()).save(tmp_path)
    (tmp_path / EVENTS).write_bytes(b'{"t": 0.0, "event": "settled"}\n' + line)
    result = maillon_sim("explain", str(tmp_path), "--node", "n1")
    assert result.exit_code == CODES["malformed"]
    assert "line 2" in result.stderr
