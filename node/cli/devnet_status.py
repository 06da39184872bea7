"""`maillon devnet status`: which processes run, and what each sees."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from node.cli.devnet_book import DevNamespace, is_running, load_book
from node.cli.devnet_health import status_of
from node.cli.output import table
from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _


@dataclass(frozen=True, slots=True)
class Seen:
    """One node, as its process is and as it sees the others."""

    name: str
    id: str
    organisation: str
    zone: str
    pid: int
    dir: str
    address: str
    running: bool
    members_live: int


@dataclass(frozen=True, slots=True)
class Seens:
    """The whole devnet; `healthy` when every node runs and sees all the others."""

    nodes: tuple[Seen, ...]
    namespace: DevNamespace | None
    healthy: bool


@make_command(_("Show the devnet's processes and how they are doing."))
async def command(session: Session) -> None:
    devnet = load_book(session.dir)
    seen: list[Seen] = []
    for node in devnet.nodes:
        running = is_running(Path(node.dir))
        status = await status_of(node) if running else None
        live = 0 if status is None else status.members_live
        pid = node.pid if running else 0
        seen.append(
            Seen(node.name, node.id, node.organisation, node.zone, pid, node.dir, node.address, running, live)
        )
    healthy = all(node.members_live == len(seen) for node in seen)
    rows = [
        (
            node.name,
            node.organisation,
            node.zone,
            node.address,
            str(node.pid) if node.running else _("stopped"),
            str(node.members_live),
        )
        for node in seen
    ]
    headings = (_("node"), _("organisation"), _("zone"), _("address"), _("pid"), _("sees"))
    session.output.document(Seens(tuple(seen), devnet.namespace, healthy), table(headings, rows))
