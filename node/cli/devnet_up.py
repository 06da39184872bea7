"""`maillon devnet up`: a federation of real processes on loopback, by the same steps that people take.

Every node is made with `init`, the first founds, the others join with invitations; the founder admits while the
charter lets it decide alone, and afterwards each admission gathers ballots through the admitted members' own admin
sockets. The command returns when every node sees every other; if anything fails, whatever it started is stopped.
"""

from __future__ import annotations

import dataclasses
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import trio

from node.cli import federation_found, init
from node.cli.devnet_book import BOOK, DevNamespace, Devnet, DevNode, load_book, save_book, spawn, stop
from node.cli.devnet_govern import admit_all, create_key, create_namespace, invite
from node.cli.devnet_health import wait_answering, wait_healthy
from node.cli.federation_found import CodeType, found_federation
from node.cli.federation_join import join_federation
from node.cli.init import Created, create_node
from node.cli.output import table
from node.cli.session import Session
from node.cli.session import command as make_command
from node.cli.sizes import SIZE_TYPE
from node.config_file import FILE_NAME
from node.text import _
from protocol.errors import Refused
from protocol.ids import text_of
from protocol.members.charter import FOUNDER_ALONE_UP_TO
from protocol.placement.classes import Code

NAMESPACE = "demo"
# For who watches: what a federation waits a minute for, it waits seconds for.
QUICK = """
[vault]
journal_repair_after_s = 5
settle_after_s = 2
"""
S3 = """
[s3]
listen = "{listen}"
"""
CEILING_BYTES = 10**14


@dataclass(frozen=True, slots=True)
class Wanted:
    """The command line, as typed."""

    nodes: int
    orgs: int
    zones: int
    code: Code | None
    bulk: str
    capacity: int
    quick: bool
    timeout: float
    s3: str
    access_key: str
    secret_key: str


@make_command(_("Start a federation of real processes on this machine, in the folder --dir."))
@click.option("--nodes", default=6, show_default=True, type=click.IntRange(1, 64), help=_("How many nodes."))
@click.option(
    "--orgs", default=0, type=click.IntRange(0, 64), help=_("Organisations, round-robin. Otherwise one a node.")
)
@click.option("--zones", default=0, type=click.IntRange(0, 64), help=_("Zones, round-robin. Otherwise one a node."))
@click.option("--code", type=CodeType(), help=_("Fix the erasure code (k/n) instead of following the preset."))
@click.option(
    "--bulk",
    default="tls",
    show_default=True,
    type=click.Choice(["tls", "sealed"]),
    help=_("How share bytes travel."),
)
@click.option(
    "--capacity", default="100 GB", show_default=True, type=SIZE_TYPE, help=_("Most each stores for others.")
)
@click.option("--quick", is_flag=True, help=_("Heal after seconds where a federation waits minutes."))
@click.option("--s3", default="", metavar="HOST:PORT", help=_("Open an S3 door there, with a key for the namespace."))
@click.option("--access-key", default="", help=_("The name of that key. Otherwise drawn."))
@click.option("--secret-key", default="", help=_("Its secret. Otherwise drawn."))
@click.option("--timeout", default=120.0, show_default=True, help=_("Seconds to wait for health."))
async def command(session: Session, **options: Any) -> None:
    folder = session.dir
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / BOOK).exists():
        raise Refused("devnet-exists", path=str(folder))
    try:
        devnet = await _up(session, folder, Wanted(**options))
    except BaseException:
        with trio.CancelScope(shield=True):
            await _stop_all(folder)
        raise
    session.output.document(devnet, _told(devnet, folder))


async def _up(session: Session, folder: Path, wanted: Wanted) -> Devnet:
    devnet = Devnet(_make_nodes(folder, wanted), None)
    first, *others = devnet.nodes
    founded = await found_federation(Path(first.dir), _charter(wanted))
    save_book(folder, devnet)
    _say(session, _("Founded {name}; starting {count} nodes.").format(name=founded.name, count=len(devnet.nodes)))
    devnet = _start(folder, devnet, [first.name])
    await wait_answering(devnet.nodes[:1], timeout_s=wanted.timeout)
    heads = len({node.organisation for node in devnet.nodes}) - 1
    await _join(first, others[:heads])
    await _join(first, others[heads:])
    devnet = _start(folder, devnet, [node.name for node in others])
    await wait_healthy(devnet.nodes, timeout_s=wanted.timeout)
    _say(session, _("All nodes see each other; admitting the organisations."))
    await admit_all(devnet.nodes, ceiling_bytes=CEILING_BYTES, timeout_s=wanted.timeout)
    if len({node.organisation for node in devnet.nodes}) > 1:
        recovery = await create_namespace(first, NAMESPACE)
        devnet = dataclasses.replace(devnet, namespace=DevNamespace(NAMESPACE, first.name, recovery))
        if wanted.s3:
            key = await create_key(first, NAMESPACE, access_key=wanted.access_key, secret_key=wanted.secret_key)
            devnet = dataclasses.replace(devnet, s3=key)
    save_book(folder, devnet)
    return devnet


async def _join(inviter: DevNode, newcomers: list[DevNode]) -> None:
    """All at once: the first nodes of their organisations, or, once these are known, the further ones."""
    async with trio.open_nursery() as nursery:
        for token, node in zip(await invite(inviter, len(newcomers)), newcomers, strict=True):
            nursery.start_soon(join_federation, Path(node.dir), token)


def _make_nodes(folder: Path, wanted: Wanted) -> tuple[DevNode, ...]:
    nodes: list[DevNode] = []
    orgs, zones = wanted.orgs or wanted.nodes, wanted.zones or wanted.nodes
    for number, port in enumerate(_free_ports(wanted.nodes), start=1):
        organisation = (number - 1) % orgs + 1
        sibling = folder / f"n{organisation}" if number > orgs else None
        given = init.Given(
            organisation=f"org{organisation}",
            organisation_from=sibling,
            organisation_words="",
            contact="",
            name=f"n{number}",
            zone=f"zone{(number - 1) % zones + 1}",
            listen=f"127.0.0.1:{port}",
            advertise=(),
            capacity=wanted.capacity,
            bulk=wanted.bulk,
        )
        nodes.append(_described(create_node(folder / given.name, given), given))
        if wanted.quick:
            _configure(folder / given.name, QUICK)
        if wanted.s3 and number == 1:
            _configure(folder / given.name, S3.format(listen=_lasting(wanted.s3)))
    return tuple(nodes)


def _configure(node_dir: Path, sections: str) -> None:
    with (node_dir / FILE_NAME).open("a", encoding="utf-8") as config:
        config.write(sections)


def _described(created: Created, given: init.Given) -> DevNode:
    return DevNode(
        name=created.name,
        id=text_of(created.id),
        organisation=created.organisation,
        words=created.recovery,
        zone=given.zone,
        pid=0,
        dir=str(Path(created.dir).absolute()),
        address=given.listen,
    )


def _lasting(listen: str) -> str:
    """With a port where none was chosen (0), so that a gateway that starts again is found where programs knew it."""
    host, colon, port = listen.rpartition(":")
    return f"{host}{colon}{_free_ports(1)[0]}" if port == "0" else listen


def _free_ports(count: int) -> list[int]:
    """Ports that nobody uses now. They are all held until the last is found, so that no two are the same."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _number in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def _charter(wanted: Wanted) -> federation_found.Given:
    return federation_found.Given(
        name="devnet",
        jurisdiction="FR",
        legal_form="association",
        certifications=(),
        capacity_ceiling=CEILING_BYTES,
        alone_up_to=FOUNDER_ALONE_UP_TO,
        code=wanted.code,
    )


def _start(folder: Path, devnet: Devnet, names: list[str]) -> Devnet:
    """Start these nodes; the book knows each process as soon as it exists."""
    for name in names:
        node = devnet.node(name)
        devnet = devnet.replaced(dataclasses.replace(node, pid=spawn(Path(node.dir))))
        save_book(folder, devnet)
    return devnet


async def _stop_all(folder: Path) -> None:
    if not (folder / BOOK).exists():
        return
    async with trio.open_nursery() as nursery:
        for node in load_book(folder).nodes:
            nursery.start_soon(stop, node, signal.SIGTERM)
    (folder / BOOK).unlink()


def _say(session: Session, text: str) -> None:
    """Progress for people; the JSON of this command is one document."""
    if not session.output.json:
        click.echo(text, err=True)


def _told(devnet: Devnet, folder: Path) -> list[str]:
    rows = [(node.name, node.organisation, node.zone, node.address, str(node.pid)) for node in devnet.nodes]
    lines = table((_("node"), _("organisation"), _("zone"), _("address"), _("pid")), rows)
    if devnet.namespace is not None:
        told = _("The namespace {name} is served by {gateway}. Try: maillon --dir {dir} put FILE bucket/key")
        place = folder / devnet.namespace.gateway
        lines += ["", told.format(name=devnet.namespace.name, gateway=devnet.namespace.gateway, dir=place)]
    if devnet.s3 is not None:
        told = _("S3 is at {endpoint}, region {region}: access key {access_key}, secret key {secret_key}")
        lines.append(told.format(**dataclasses.asdict(devnet.s3)))
    return lines
