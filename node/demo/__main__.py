"""`make demo`: six organisations, two disks lost, then the gateway burnt, and every byte back from paper.

Each step says what it does in plain words and what it measured; the table at the end lists what was proved. The exit
code is 0 only if all of it held.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from node.demo.federation import CommandFailed, Federation, Member, maillon, running_federation
from node.demo.files import Sample, same_bytes, sample
from node.text import _
from node.text.quantities import show_duration, show_size

NODES = 6
CODE = "3/6"
LOST = 2
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Proof:
    """One line of the last table."""

    claim: str
    evidence: str
    held: bool


@dataclass(slots=True)
class Story:
    """What has been told and proved so far."""

    console: Console
    proofs: list[Proof] = field(default_factory=list)
    step: int = 0

    def tell(self, text: str) -> None:
        """Begin a step."""
        self.step += 1
        self.console.print(f"\n[bold]{self.step}.[/bold] {text}", highlight=False)

    def found(self, text: str) -> None:
        """What the step measured."""
        self.console.print(f"   {text}", style="cyan", highlight=False)

    def prove(self, claim: str, evidence: str, *, held: bool) -> None:
        """Note a claim with what shows it."""
        self.proofs.append(Proof(claim, evidence, held))


def main() -> int:
    """Tell the whole story; the exit code."""
    parser = argparse.ArgumentParser(prog="make demo", description=_("Maillon, in two minutes."))
    parser.add_argument("--files", help=_("the folder to store, in place of Python's standard library"))
    chosen = sample(parser.parse_args().files)
    console = Console(soft_wrap=True)
    story = Story(console)
    started = time.monotonic()
    try:
        _run(story, chosen)
    except KeyboardInterrupt:
        console.print(_("\nInterrupted: every process was stopped and every file removed."))
        return INTERRUPTED
    except CommandFailed as failed:
        console.print(_("\nThe demonstration failed: {reason}").format(reason=failed), style="bold red")
        return 1
    return _conclude(story, time.monotonic() - started)


def _run(story: Story, chosen: Sample) -> None:
    story.tell(
        _("Six organisations that need not trust each other each start a node: six processes on this machine.")
    )
    began = time.monotonic()
    with running_federation(NODES, CODE) as federation:
        _introduce(story, federation, time.monotonic() - began)
        files = _store(story, federation, chosen)
        _look_for_plaintext(story, federation, chosen)
        _complete(story, federation)
        lost = _burn(story, federation)
        _read_back(story, federation, chosen, files, lost)
        _move_journal(story, federation, lost)
        _burn_gateway(story, federation)
        _recover(story, federation, chosen, files)


def _introduce(story: Story, federation: Federation, seconds: float) -> None:
    for member in federation.members:
        story.found(
            _("{node}: {organisation}, process {pid}").format(
                node=member.name, organisation=member.organisation, pid=member.pid
            )
        )
    story.found(
        _("They founded a federation, voted each other in and were ready in {time}.").format(
            time=show_duration(seconds)
        )
    )
    organisations = len({member.organisation for member in federation.members})
    story.prove(
        _("A federation of separate processes forms by itself"),
        _("{count} organisations in {time}").format(count=organisations, time=show_duration(seconds)),
        held=organisations == NODES and all(_is_running(member) for member in federation.members),
    )


def _store(story: Story, federation: Federation, chosen: Sample) -> int:
    files = list(chosen.files())
    size_bytes = sum((chosen.folder / file).stat().st_size for file in files)
    story.tell(
        _("Store {folder} through {node}: each file is encrypted there, and any 3 of 6 members rebuild it.").format(
            folder=chosen.folder, node=federation.gateway.name
        )
    )
    left_out = [argument for name in chosen.left_out for argument in ("--exclude", name)]
    began = time.monotonic()
    put = maillon(
        "--dir", str(federation.gateway.folder), "put", "--recursive", *left_out, str(chosen.folder), "demo/files"
    )
    seconds = time.monotonic() - began
    ratio = federation.stored_bytes() / max(1, size_bytes)
    story.found(
        _("{files} files, {size}, in {time}; all disks together hold {ratio:.2f} bytes for each byte.").format(
            files=put["files"], size=show_size(put["size_bytes"]), time=show_duration(seconds), ratio=ratio
        )
    )
    story.found(
        _("(Small files ride whole in the journal of six members; larger ones are coded and take twice their size.)")
    )
    story.prove(
        _("Every file was stored, durably, before it was acknowledged"),
        _("{files} files, {size}").format(files=put["files"], size=show_size(put["size_bytes"])),
        held=put["files"] == len(files) and put["size_bytes"] == size_bytes,
    )
    return len(files)


def _look_for_plaintext(story: Story, federation: Federation, chosen: Sample) -> None:
    """Search the other members' disks for a line of a stored file and for its name."""
    file = max(chosen.files(), key=lambda path: (chosen.folder / path).stat().st_size)
    content = (chosen.folder / file).read_bytes()
    middle = len(content) // 2
    needles = [
        needle for needle in (content[middle : middle + 64], bytes(file), file.name.encode()) if len(needle) > 7
    ]
    story.tell(_("Search the disks of the other five members for what was stored ({file}).").format(file=file))
    others = [member for member in federation.members if member != federation.gateway]
    searched = found = 0
    for member in others:
        for path in (path for path in member.folder.rglob("*") if path.is_file()):
            data = path.read_bytes()
            searched += len(data)
            found += sum(needle in data for needle in needles)
    story.found(
        _("{size} searched: the file's bytes and its name occur {count} times.").format(
            size=show_size(searched), count=found
        )
    )
    story.prove(
        _("Nobody else can read the data"),
        _("no byte sequence of it on {count} other disks").format(count=len(others)),
        held=found == 0 and searched > 0,
    )


def _complete(story: Story, federation: Federation) -> None:
    """A put is answered before the slowest members have their shares; from now on all must be there."""
    story.tell(_("Wait until every block is complete: all its shares are on disks, on all six."))
    status = federation.wait_namespace(lambda status: status["incomplete_blocks"] == 0)
    story.found(
        _("No share is missing. {count} members can be lost now, whichever they are.").format(
            count=status["survives"]
        )
    )
    story.prove(
        _("Status says how many members can be lost today"),
        _("{count} of {nodes}").format(count=status["survives"], nodes=NODES),
        held=status["survives"] >= LOST,
    )


def _burn(story: Story, federation: Federation) -> list[Member]:
    lost = [member for member in federation.members if member != federation.gateway][-LOST:]
    names = ", ".join(member.name for member in lost)
    story.tell(_("Kill {names} with SIGKILL and wipe their disks.").format(names=names))
    for member in lost:
        maillon("devnet", "kill", member.name, "--wipe", "--dir", str(federation.folder / "devnet"))
    gone = all(not _is_running(member) and not _holds_data(member) for member in lost)
    story.found(_("Two processes are gone, and nothing is left on their disks."))
    story.prove(_("Two members were lost, disks and all"), names, held=gone)
    return lost


def _read_back(story: Story, federation: Federation, chosen: Sample, files: int, lost: list[Member]) -> None:
    story.tell(_("Read everything back from the four that are left, and compare every byte."))
    back = federation.folder / "back"
    began = time.monotonic()
    got = maillon("--dir", str(federation.gateway.folder), "get", "--recursive", "demo/files", str(back))
    seconds = time.monotonic() - began
    same = sum(same_bytes(chosen.folder / file, back / file) for file in chosen.files())
    extra = sum(1 for path in back.rglob("*") if path.is_file()) - files
    story.found(
        _("{files} files, {size}, in {time}; {same} are the same byte for byte.").format(
            files=got["files"], size=show_size(got["size_bytes"]), time=show_duration(seconds), same=same
        )
    )
    story.prove(
        _("Every byte came back without {count} of {nodes} members").format(count=len(lost), nodes=NODES),
        _("{same} of {files} files are identical").format(same=same, files=files),
        held=same == files > 0 and extra == 0,
    )


def _move_journal(story: Story, federation: Federation, lost: list[Member]) -> None:
    """Losing two of six holders is all that the journal bears, so it must not stay with them."""
    story.tell(_("The namespace's journal moves to the members that are left, by itself. Wait until it is safe."))
    gone = {member.name for member in lost}
    status = federation.wait_namespace(
        lambda status: status["settled"] and not gone & set(status["journal_holders"]) and status["survives"] > 0
    )
    holders = ", ".join(status["journal_holders"])
    story.found(
        _(
            "Epoch {epoch}: {holders}; {w} of {r} must have each entry. Safe again: {count} more member can go."
        ).format(
            epoch=status["journal_epoch"],
            holders=holders,
            w=status["journal_w"],
            r=len(status["journal_holders"]),
            count=status["survives"],
        )
    )
    story.prove(
        _("The journal heals: it moves to living members without being asked"),
        _("{w} of {r} in epoch {epoch}").format(
            w=status["journal_w"], r=len(status["journal_holders"]), epoch=status["journal_epoch"]
        ),
        held=len(status["journal_holders"]) == NODES - LOST,
    )


def _burn_gateway(story: Story, federation: Federation) -> None:
    gateway = federation.gateway
    story.tell(
        _("Now the gateway burns: kill {node} with SIGKILL and remove its whole folder.").format(node=gateway.name)
    )
    maillon("devnet", "kill", gateway.name, "--wipe", "--dir", str(federation.folder / "devnet"))
    shutil.rmtree(gateway.folder)
    story.found(_("Its keys, its catalog and its copy of the journal are gone. What is left is a sheet of paper."))
    story.prove(
        _("The gateway was lost, keys and all"),
        gateway.name,
        held=not _is_running(gateway) and not gateway.folder.exists(),
    )


def _recover(story: Story, federation: Federation, chosen: Sample, files: int) -> None:
    story.tell(_("Type the words of the recovery sheet into an empty machine that belongs to nobody."))
    machine = federation.folder / "machine"
    began = time.monotonic()
    recovered = maillon(
        "--dir", str(machine), "namespace", "recover", "-", "--listen", "127.0.0.1:0", given=federation.sheet
    )
    seconds = time.monotonic() - began
    story.found(
        _("{objects} objects are known again after {time}. Read them all, and compare every byte.").format(
            objects=recovered["objects"], time=show_duration(seconds)
        )
    )
    back = federation.folder / "recovered"
    with federation.running(machine):
        maillon("--dir", str(machine), "get", "--recursive", "demo/files", str(back))
    same = sum(same_bytes(chosen.folder / file, back / file) for file in chosen.files())
    extra = sum(1 for path in back.rglob("*") if path.is_file()) - files
    story.prove(
        _("Words on paper bring everything back on an empty machine"),
        _("{same} of {files} files are identical").format(same=same, files=files),
        held=same == files > 0 and extra == 0,
    )


def _conclude(story: Story, seconds: float) -> int:
    table = Table(title=_("What was proved"), title_justify="left")
    table.add_column(_("Claim"))
    table.add_column(_("Evidence"))
    table.add_column("")
    for proof in story.proofs:
        table.add_row(proof.claim, proof.evidence, "[green]✔[/green]" if proof.held else "[bold red]✘[/bold red]")
    story.console.print()
    story.console.print(table)
    held = bool(story.proofs) and all(proof.held for proof in story.proofs)
    verdict = _("All of it held, in {time}.") if held else _("Not all of it held. It took {time}.")
    story.console.print(verdict.format(time=show_duration(seconds)), style="bold green" if held else "bold red")
    return 0 if held else 1


def _is_running(member: Member) -> bool:
    try:
        os.kill(member.pid, 0)
        # A killed process whose parent is gone stays in the table as a zombie until somebody reaps it.
        return Path(f"/proc/{member.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except OSError:
        return True


def _holds_data(member: Member) -> bool:
    """Whether anything is left where the node kept shares, journals and indexes."""
    kept = (member.folder / name for name in ("volumes", "journals", "index"))
    return any(path.is_file() for folder in kept for path in folder.rglob("*"))


if __name__ == "__main__":
    sys.exit(main())
