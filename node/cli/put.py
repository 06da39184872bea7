"""`maillon put`: store a file, standard input, or a folder with everything in it.

The command returns once every byte is durable at the federation's members. Of a folder, ordinary files are stored
under keys with `/` between the parts; symbolic links and devices are skipped and named.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import trio

from node.admin.client import AdminClient
from node.admin.object_calls import ObjectRef
from node.cli.files import STANDARD, FileSource
from node.cli.names import LocalFile, ObjectName, checked_key, parse_object, parse_prefix, walk
from node.cli.progress import Meter, metered
from node.cli.reach import node_of
from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _, ngettext
from node.text.quantities import show_duration, show_size
from protocol.errors import Refused


@dataclass(frozen=True, slots=True)
class Stored:
    """What the command did."""

    files: int
    size_bytes: int
    seconds: float
    skipped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Folder:
    """What a folder holds: files to store, and what is neither file nor folder."""

    files: list[LocalFile]
    skipped: tuple[str, ...]


@make_command(_("Store SOURCE (a file, or - for standard input) as TARGET (BUCKET/KEY)."))
@click.argument("source")
@click.argument("target")
@click.option("--recursive", "-r", is_flag=True, help=_("Store a folder: TARGET is BUCKET or BUCKET/PREFIX."))
@click.option(
    "--exclude",
    multiple=True,
    help=_("Leave out files and folders of this name (* and ? as in a shell). Repeatable."),
)
@click.option("--namespace", default="", help=_("Which namespace, if the node serves several."))
@click.option(
    "--jobs", default=16, show_default=True, type=click.IntRange(1, 128), help=_("Files under way at once.")
)
async def command(
    session: Session,
    *,
    source: str,
    target: str,
    recursive: bool,
    exclude: tuple[str, ...],
    namespace: str,
    jobs: int,
) -> None:
    if recursive:
        skipped: list[str] = []
        prefix = parse_prefix(target)
        files = list(walk(Path(source), prefix.key, lambda path: skipped.append(str(path)), exclude=exclude))
        await _put_folder(session, _Folder(files, tuple(skipped)), prefix.bucket, namespace, jobs)
    else:
        await _put_one(session, source, parse_object(target), namespace)


async def _put_one(session: Session, source: str, name: ObjectName, namespace: str) -> None:
    descriptor, size_bytes = _open(source)
    try:
        async with node_of(session) as client, metered(session.output, _("put"), total_bytes=size_bytes) as meter:
            reference = ObjectRef(namespace, name.bucket, checked_key(Path(source), name.key))
            line = await client.put(reference, FileSource(descriptor), size_bytes=size_bytes, moved=meter.advance)
            seconds = meter.seconds
    finally:
        if source != STANDARD:
            os.close(descriptor)
    session.output.result(
        Stored(1, line.size_bytes, round(seconds, 3), ()),
        [
            _("Stored {name}: {size} in {time}.").format(
                name=name, size=show_size(line.size_bytes), time=show_duration(seconds)
            )
        ],
    )


def _open(source: str) -> tuple[int, int | None]:
    """A descriptor, and how many bytes it will give if that is known beforehand."""
    if source == STANDARD:
        return sys.stdin.fileno(), None
    path = Path(source)
    if path.is_dir():
        raise Refused("local-folder", path=source)
    descriptor = os.open(path, os.O_RDONLY)
    found = os.fstat(descriptor)
    return descriptor, found.st_size if stat.S_ISREG(found.st_mode) else None


async def _put_folder(session: Session, folder: _Folder, bucket: str, namespace: str, jobs: int) -> None:
    files, skipped = folder.files, folder.skipped
    for path in skipped:
        session.output.step("skipped", {"path": path}, _("Skipped {path}: not an ordinary file.").format(path=path))
    total_bytes = sum(file.size_bytes for file in files)
    async with (
        node_of(session) as client,
        metered(session.output, _("put"), total_bytes=total_bytes, total_files=len(files)) as meter,
    ):
        waiting = iter(files)
        async with trio.open_nursery() as nursery:
            for _worker in range(jobs):
                nursery.start_soon(_put_each, client, waiting, bucket, namespace, meter)
        done = Stored(meter.done_files, meter.done_bytes, round(meter.seconds, 3), skipped)
    text = ngettext("Stored {count} file: {size} in {time}.", "Stored {count} files: {size} in {time}.", done.files)
    size, time = show_size(done.size_bytes), show_duration(done.seconds)
    session.output.result(done, [text.format(count=done.files, size=size, time=time)])


async def _put_each(
    client: AdminClient, waiting: Iterator[LocalFile], bucket: str, namespace: str, meter: Meter
) -> None:
    """One of several workers that take the next file until none is left."""
    for file in waiting:
        descriptor = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            size_bytes = os.fstat(descriptor).st_size
            reference = ObjectRef(namespace, bucket, file.key)
            await client.put(reference, FileSource(descriptor), size_bytes=size_bytes, moved=meter.advance)
        finally:
            os.close(descriptor)
        meter.finish_file()
