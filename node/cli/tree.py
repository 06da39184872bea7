"""The tree of commands: which module holds which command, and the line that `--help` shows for it.

The table is all that `--help` and shell completion of names need; a module is imported only when its command runs.
Each module offers one click command called `command`.

What stands on another floor, or in another package, adds a branch of its own by an entry point of the group
`maillon.commands`: nothing here knows its name. Those are looked for only when all commands are listed, or a
command is asked for that is not in the table.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass

import click

from node.cli.clicks_words import speak_our_language
from node.cli.exits import leave_interrupted
from node.cli.session import Choices, shared_options
from node.text import N_, _


@dataclass(frozen=True, slots=True)
class Leaf:
    """One command: the module that holds it, and its line in `--help`."""

    module: str
    line: str
    package: str = "node.cli"


@dataclass(frozen=True, slots=True)
class Branch:
    """A group of commands, with its line in `--help`."""

    line: str
    commands: Mapping[str, Leaf | Branch]


ENTRY_POINTS = "maillon.commands"

FEDERATION = Branch(
    N_("Found a federation, join one, and govern it together."),
    {
        "found": Leaf("federation_found", N_("Found a new federation with this node's organisation.")),
        "invite": Leaf("federation_invite", N_("Make an invitation for a new organisation or node.")),
        "join": Leaf("federation_join", N_("Join a federation with an invitation.")),
        "rejoin": Leaf("federation_rejoin", N_("Make a machine that recovered a namespace a member's node again.")),
        "members": Leaf("federation_members", N_("List organisations and nodes, and open proposals.")),
        "admit": Leaf("federation_admit", N_("Propose to admit an organisation, or vote for it.")),
        "expel": Leaf("federation_expel", N_("Propose to expel an organisation or node, or vote for it.")),
        "leave": Leaf("federation_leave", N_("Tell the members that this node leaves, for good.")),
    },
)
COMMANDS: Mapping[str, Leaf | Branch] = {
    "init": Leaf("init", N_("Create a node, and its organisation, in a folder.")),
    "federation": FEDERATION,
    "node": Branch(N_("Run this node."), {"run": Leaf("node_run", N_("Run the node until it is told to stop."))}),
    "status": Leaf("status", N_("Show how the node and its data are doing.")),
    "namespace": Branch(
        N_("Namespaces: private trees of buckets."),
        {
            "create": Leaf("namespace_create", N_("Create a namespace on this node and show its recovery sheet.")),
            "sheet": Leaf("namespace_sheet", N_("Print a recovery sheet again, as text or HTML, whole or split.")),
            "recover": Leaf("namespace_recover", N_("Bring a namespace back on an empty machine, from its sheet.")),
            "rotate": Leaf("namespace_rotate", N_("Replace a namespace's secrets, so that a thief is locked out.")),
            "follow": Leaf("namespace_follow", N_("Read here what another gateway of a namespace writes.")),
            "move": Leaf("namespace_move", N_("Hand a namespace over to another gateway, which follows it.")),
            "takeover": Leaf("namespace_takeover", N_("Write here what another gateway writes now.")),
            "list": Leaf("namespace_list", N_("List the namespaces that this node serves.")),
        },
    ),
    "put": Leaf("put", N_("Store a file, a folder or standard input.")),
    "get": Leaf("get", N_("Read an object, or all under a prefix, back into files.")),
    "ls": Leaf("ls", N_("List buckets, or the objects of a bucket.")),
    "rm": Leaf("rm", N_("Delete an object, or all under a prefix.")),
    "stat": Leaf("stat", N_("Show what is known of one object.")),
    "explain": Leaf("explain", N_("Show where each share of an object is, and why it is allowed there.")),
    "s3": Branch(
        N_("The door for programs that speak S3."),
        {
            "key": Branch(
                N_("The keys that programs sign their requests with."),
                {
                    "create": Leaf("s3_key_create", N_("Make a key, and show its secret once.")),
                    "list": Leaf("s3_key_list", N_("List the keys, without their secrets.")),
                    "revoke": Leaf("s3_key_revoke", N_("Make a key worthless from now on.")),
                },
            )
        },
    ),
    "devnet": Branch(
        N_("A federation of real processes on this machine, to try things on."),
        {
            "up": Leaf("devnet_up", N_("Start a federation and return when it is healthy.")),
            "status": Leaf("devnet_status", N_("Show the processes and how they are doing.")),
            "kill": Leaf("devnet_kill", N_("Kill one node with SIGKILL; with --wipe, empty its disks too.")),
            "start": Leaf("devnet_start", N_("Start a node that was killed.")),
            "down": Leaf("devnet_down", N_("Stop every process.")),
        },
    ),
    "config": Branch(
        N_("The configuration file."),
        {
            "check": Leaf("config_check", N_("Check this node's configuration file.")),
            "reference": Leaf("config_reference", N_("Print the reference of every key, as Markdown.")),
        },
    ),
    "completion": Leaf("completion", N_("Print the completion script for bash, zsh or fish.")),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def __init__(self, entries: Mapping[str, Leaf | Branch], name: str | None, line: str) -> None:
        super().__init__(name, help=_(line), params=shared_options())
        self.entries = entries

    def all_entries(self) -> Mapping[str, Leaf | Branch]:
        """Everything that the help lists."""
        return self.entries

    def entry(self, name: str) -> Leaf | Branch | None:
        """What the name stands for."""
        return self.entries.get(name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.all_entries())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.entry(cmd_name)
        if entry is None:
            return None
        if isinstance(entry, Branch):
            return LazyGroup(entry.commands, cmd_name, entry.line)
        try:
            found: click.Command = importlib.import_module(f"{entry.package}.{entry.module}").command
        except KeyboardInterrupt:  # that of a large command takes its time
            leave_interrupted()
        found.name = cmd_name
        return found

    def invoke(self, ctx: click.Context) -> object:
        chosen = ctx.ensure_object(Choices)
        ctx.obj = chosen.with_options(ctx.params.pop("dir_option"), json=ctx.params.pop("json_option"))
        return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As click's own, from the table alone, so that showing help imports nothing."""
        rows = [(name, _(entry.line)) for name, entry in self.all_entries().items()]
        with formatter.section(_("Commands")):
            formatter.write_dl(rows)


class Program(LazyGroup):
    """The root, to which other packages may add branches."""

    def all_entries(self) -> Mapping[str, Leaf | Branch]:
        return {**self.entries, **_added()}

    def entry(self, name: str) -> Leaf | Branch | None:
        return self.entries.get(name) or _added().get(name)


def _added() -> Mapping[str, Branch]:
    """The branches of other packages. Importing one must be as cheap as importing this module."""
    from importlib.metadata import entry_points  # costs a third of all that `--help` takes: only when needed

    return {found.name: found.load() for found in sorted(entry_points(group=ENTRY_POINTS))}


speak_our_language()
program = Program(
    COMMANDS,
    "maillon",
    N_("Maillon: organisations keep each other's data, encrypted, without having to trust each other."),
)
program.params.append(
    click.Option(
        ["--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        help=_("Show the version and leave."),
        callback=lambda ctx, _param, wanted: _show_version(ctx) if wanted else None,
    )
)
program.epilog = _(
    "Exit codes: 0 done, 1 a fault of this program, 2 wrong usage, 3 malformed, 4 forged, 5 over a limit, "
    "6 refused by a rule, 7 unavailable now, 8 missing, 9 damaged, 130 interrupted."
)


def _show_version(ctx: click.Context) -> None:
    import importlib.metadata

    click.echo(f"maillon {importlib.metadata.version('maillon')}")
    ctx.exit()
