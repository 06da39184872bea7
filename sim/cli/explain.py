"""`maillon sim explain`: the story of one node, one block or one key of a run, as a timeline in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _, ngettext
from protocol.errors import Missing
from protocol.ids import short_text_of
from sim.cli.words import in_words
from sim.federation.cast import Cast
from sim.federation.federation import cast_of
from sim.run.explain import Block, Event, Key, Node, story
from sim.run.folder import events_in, plan_in


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the story: the event, and what it means; `times` when it came several times in a row."""

    at_s: float
    told: str
    times: int
    event: Event


@make_command(_("Tell the story of one node, one block or one key of the run in the folder RUN."))
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--node", help=_("A node, such as n3."))
@click.option("--block", help=_("A block, by the first letters of its id."))
@click.option("--key", help=_("A key of the clients, such as 7."))
def command(session: Session, *, run: Path, node: str | None, block: str | None, key: str | None) -> None:
    if [node, block, key].count(None) != 2:
        raise click.UsageError(_("Say what to explain: one of --node, --block and --key."))
    cast = cast_of(plan_in(run).scenario)
    found = story(list(events_in(run)), _focus(cast, node, block, key))
    if not found:
        raise Missing("explain-nothing", path=str(run), what=node or block or key or "")
    names = {short_text_of(actor.node): actor.name for actor in cast.actors}
    moments = list(_moments(found, names))
    session.output.document({"moments": moments}, _lines(moments))


def _focus(cast: Cast, node: str | None, block: str | None, key: str | None) -> Node | Block | Key:
    if node is not None:
        if node not in cast.names:
            raise Missing("explain-node", node=node, nodes=len(cast.names))
        return Node(node, short_text_of(cast[node].node))
    return Block(block) if block is not None else Key(key or "")


def _moments(events: Sequence[Event], names: Mapping[str, str]) -> Iterator[Moment]:
    """What is told twice in a row is told once."""
    last: Moment | None = None
    for event in events:
        told = in_words(event, names)
        if last is not None and last.told == told:
            last = Moment(last.at_s, told, last.times + 1, last.event)
            continue
        if last is not None:
            yield last
        last = Moment(event["t"], told, 1, event)
    if last is not None:
        yield last


def _lines(moments: Sequence[Moment]) -> Iterator[str]:
    for moment in moments:
        times = "" if moment.times == 1 else " " + _("({times} times)").format(times=moment.times)
        yield f"{moment.at_s:12.3f} s  {moment.told}{times}"
    yield ngettext("{count} moment.", "{count} moments.", len(moments)).format(count=len(moments))
