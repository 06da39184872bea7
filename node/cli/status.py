"""`maillon status`: how the node is, what it keeps for others, and how safe its own namespaces are."""

from __future__ import annotations

from collections.abc import Mapping

from node.admin.calls import Nothing
from node.admin.lines import NamespaceLine, StorageLine
from node.admin.status_calls import STATUS, Status
from node.cli.output import table
from node.cli.reach import node_of
from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import N_, _, ngettext
from node.text.quantities import show_date, show_duration, show_size
from node.text.sentences import sentence
from protocol.errors import Unavailable
from protocol.ids import text_of

# By number of organisations, at the presets of data and journal.
_NOT_SURVIVED: Mapping[int, str] = {
    1: N_("One organisation alone keeps nothing: invite a second one before storing data."),
    2: N_("With two organisations, writing stops while either is away, and the loss of both loses everything."),
    3: N_(
        "With three organisations, the loss of two at once stops the namespaces: their journals need two of three."
    ),
    4: N_(
        "With four organisations, the loss of two at once stops the namespaces: their journals need three of four."
    ),
    5: N_("With five organisations, the loss of three at once, or one that lies about a journal, is not survived."),
}


@make_command(_("Show how the node and its data are doing."))
async def command(session: Session) -> None:
    async with node_of(session) as client:
        status = await client.call(STATUS, Nothing())
    session.output.document(status, _told(status))


def _told(status: Status) -> list[str]:
    rows = [
        (_("node"), f"{status.name} ({text_of(status.node)})"),
        (_("organisation"), status.organisation),
        (_("zone"), status.zone),
        (_("addresses"), ", ".join(status.addresses)),
        (_("running for"), show_duration(status.uptime_s)),
        (_("federation"), text_of(status.federation)),
        (_("members"), _members_told(status)),
        (_("code"), _code_told(status)),
        (_("share bytes travel"), _("inside TLS") if status.bulk == "tls" else _("sealed, beside TLS")),
        (_("kept for others"), _storage_told(status.storage)),
    ]
    lines = table((_("Maillon {version}").format(version=status.version), ""), rows)
    for namespace in status.namespaces:
        lines += ["", *_namespace_told(namespace)]
    if status.warnings:
        lines += ["", *(_warned(warning, status.organisations) for warning in status.warnings)]
    return lines


def _members_told(status: Status) -> str:
    answering = ngettext("{live} of {all} node answers", "{live} of {all} nodes answer", status.members)
    organisations = ngettext("{count} organisation", "{count} organisations", status.organisations)
    told = answering.format(live=status.members_live, all=status.members)
    return f"{told}; {organisations.format(count=status.organisations)}"


def _code_told(status: Status) -> str:
    """The code of new blocks; too small a federation has none yet."""
    if not status.code:
        return _("none yet; computed by {engine}").format(engine=status.engine)
    return _("{code}, computed by {engine}").format(code=status.code, engine=status.engine)


def _storage_told(storage: StorageLine) -> str:
    told = ngettext("{shares} share, {used} of {capacity}", "{shares} shares, {used} of {capacity}", storage.shares)
    used, capacity = show_size(storage.used_bytes), show_size(storage.capacity_bytes)
    return told.format(shares=storage.shares, used=used, capacity=capacity)


def _warned(warning: str, organisations: int) -> str:
    """A small federation is told what it cannot survive yet; every other warning has its sentence."""
    if warning == "federation-small" and organisations in _NOT_SURVIVED:
        return _(_NOT_SURVIVED[organisations])
    return sentence(Unavailable(warning))


def told_why(line: NamespaceLine) -> str:
    """Why the namespace cannot be written."""
    about = {parameter.name: parameter.shown for parameter in line.why_parameters}
    return sentence(Unavailable(line.why_not, **about))


def _namespace_told(line: NamespaceLine) -> list[str]:
    told = ngettext(
        "namespace {name}: {objects} object, {size}", "namespace {name}: {objects} objects, {size}", line.objects
    )
    told = told.format(name=line.name, objects=line.objects, size=show_size(line.size_bytes))
    lines = [told + (_(", code {code}").format(code=line.code) if line.code else "")]
    if not line.writable:
        lines.append("  " + told_why(line))
    if not line.journal_epoch:
        return lines
    lines += [f"  {told}" for told in _data_told(line)]
    journal = ngettext(
        "journal: epoch {epoch}, {length} entry, durable at {w} of {r} holders ({live} answer): {names}",
        "journal: epoch {epoch}, {length} entries, durable at {w} of {r} holders ({live} answer): {names}",
        line.journal_length,
    )
    lines.append(
        "  "
        + journal.format(
            epoch=line.journal_epoch,
            length=line.journal_length,
            w=line.journal_w,
            r=len(line.journal_holders),
            live=line.journal_live,
            names=", ".join(line.journal_holders),
        )
    )
    if not line.settled:
        lines.append(
            "  "
            + _(
                "What was written before this epoch still rests on the holders of earlier ones: "
                "the count above holds once a checkpoint is made, by itself, within minutes."
            )
        )
    return lines


def _data_told(line: NamespaceLine) -> list[str]:
    """What holds today, and what is still to be done."""
    survives = ngettext(
        "{count} other member can be lost today without losing anything, if the disks of the rest are whole.",
        "{count} other members can be lost today without losing anything, if the disks of the rest are whole.",
        line.survives,
    )
    told = [survives.format(count=line.survives)]
    if line.incomplete_blocks:
        waiting = ngettext(
            "{count} block is being completed.", "{count} blocks are being completed.", line.incomplete_blocks
        )
        told.append(waiting.format(count=line.incomplete_blocks))
    if line.releasing_blocks:
        freed = ngettext(
            "{count} block that nothing refers to any more is not freed everywhere yet.",
            "{count} blocks that nothing refers to any more are not freed everywhere yet.",
            line.releasing_blocks,
        )
        told.append(freed.format(count=line.releasing_blocks))
    if line.drill_s is None:
        return [*told, _("No recovery was ever rehearsed: `maillon namespace sheet --verify` does.")]
    return [*told, _("A recovery was rehearsed last on {date}.").format(date=show_date(line.drill_s))]
