"""`maillon init`: make a node's folder, with new keys for the node and, unless it has one, its organisation.

All of the organisation's keys, present and future, come from one seed. The seed is shown once, as words for paper,
and not kept: the machine has the current key only, so that after a theft the paper can replace it. A further node
of the same organisation is made with `--organisation-from`, the folder of a node that holds the organisation's key,
or with `--organisation-words` from the paper.
"""

from __future__ import annotations

import dataclasses
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from node.cli.organisation_words import given_keys
from node.cli.session import Session
from node.cli.session import command as make_command
from node.cli.sizes import SIZE_TYPE
from node.config_file import parse
from node.folder import NodeFolder, Organisation
from node.host.ports import Host
from node.host.real import real_host
from node.text import _
from node.vault.sheet_words import IDENTIFIER_BYTES, numbered_words, words_of
from protocol.errors import Refused
from protocol.ids import NodeId, OrganisationId
from protocol.keys.signing import SigningKey
from protocol.members.lineage import OrganisationKeys

SEED_BYTES = 32


@dataclass(frozen=True, slots=True)
class Created:
    """`recovery` holds the words of the organisation's seed; it is empty when its key came from another node."""

    dir: str
    name: str
    id: NodeId
    organisation: str
    organisation_id: OrganisationId
    recovery: str


@dataclass(frozen=True, slots=True)
class Given:
    """The command line, as typed."""

    organisation: str
    organisation_from: Path | None
    organisation_words: str
    contact: str
    name: str
    zone: str
    listen: str
    advertise: tuple[str, ...]
    capacity: int
    bulk: str


@make_command(_("Create a node in the folder given with --dir, and its organisation's keys."))
@click.option("--organisation", default="", help=_("The organisation's name."))
@click.option(
    "--organisation-from",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help=_("Folder of a node of the same organisation, whose name and key are taken over."),
)
@click.option(
    "--organisation-words",
    default="",
    metavar="FILE",
    help=_("The organisation's words, from FILE or - to type them."),
)
@click.option("--contact", default="", help=_("How members reach the organisation's people."))
@click.option("--name", default="", help=_("The node's name. Otherwise this machine's."))
@click.option("--zone", default="", help=_("What fails together with it: a site or building. Otherwise its name."))
@click.option("--listen", default="0.0.0.0:7400", show_default=True, help=_("Where other nodes reach it."))
@click.option("--advertise", multiple=True, help=_("Address that others dial, if it differs."))
@click.option("--capacity", default="100 GB", show_default=True, type=SIZE_TYPE, help=_("Most it stores for others."))
@click.option(
    "--bulk",
    default="tls",
    show_default=True,
    type=click.Choice(["tls", "sealed"]),
    help=_("How share bytes travel."),
)
def command(session: Session, **options: Any) -> None:
    created = create_node(session.dir, Given(**options))
    session.output.document(created, _told(created))


def create_node(path: Path, given: Given) -> Created:
    """Make the folder. Raises Refused(`node-dir-exists`, `organisation-unnamed`), or what is wrong with a value."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    host = real_host(path)
    config = config_text(given)
    parse(config, path=str(path))
    organisation, organisation_seed, words = _organisation(given, host)
    key = SigningKey.from_seed(host.entropy.random_bytes(SEED_BYTES))
    NodeFolder(host.disk, str(path)).create(config, key, organisation, organisation_seed)
    return Created(
        str(path), _name(given), NodeId(key.public), organisation.name, organisation.lineage.organisation, words
    )


def _organisation(given: Given, host: Host) -> tuple[Organisation, bytes, str]:
    """Who the organisation is, the seed of its current key, and the words of all its keys."""
    if given.organisation_from is not None:
        source = NodeFolder(real_host(given.organisation_from).disk, str(given.organisation_from))
        source.check_format()
        organisation = dataclasses.replace(source.organisation(), taken_over=True)
        return organisation, source.organisation_key().seed, ""
    if not given.organisation:
        raise Refused("organisation-unnamed")
    if given.organisation_words:
        keys = given_keys(given.organisation_words)
        return Organisation(given.organisation, given.contact, keys.lineage(), taken_over=True), keys.key().seed, ""
    seed = host.entropy.random_bytes(SEED_BYTES)
    keys = OrganisationKeys(seed)
    words = " ".join(words_of(seed, host.entropy.random_bytes(IDENTIFIER_BYTES)))
    organisation = Organisation(given.organisation, given.contact, keys.lineage(), taken_over=False)
    return organisation, keys.key().seed, words


def _name(given: Given) -> str:
    return given.name or socket.gethostname().partition(".")[0]


def config_text(given: Given) -> str:
    """The first `maillon.toml`: what was chosen, and where to read about the rest."""
    lines = [
        "# Every key is explained in docs/configuration.md, or by: maillon config reference",
        "",
        f"bulk = {_quoted(given.bulk)}",
        "",
        "[node]",
        f"name = {_quoted(_name(given))}",
        f"zone = {_quoted(given.zone or _name(given))}",
        f"listen = {_quoted(given.listen)}",
        f"advertise = [{', '.join(_quoted(address) for address in given.advertise)}]",
        "",
        "[[store.disks]]",
        'path = "volumes"',
        f"capacity = {given.capacity}",
    ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A TOML string. JSON's escapes are TOML's too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _told(created: Created) -> list[str]:
    lines = [_("The node {name} of {organisation} is ready in {dir}.")]
    if created.recovery:
        lines += [
            _(
                "Write these 33 words on paper, headed “Maillon, organisation {organisation}”, and keep them safe, "
                "away from the machine: all keys of the organisation come from them, and they are not shown again. "
                "A word may appear twice."
            ),
            "",
            *numbered_words(created.recovery.split()),
            "",
        ]
    lines.append(_("Next: maillon --dir {dir} federation found --name NAME, or federation join INVITATION."))
    return [line.format(name=created.name, organisation=created.organisation, dir=created.dir) for line in lines]
