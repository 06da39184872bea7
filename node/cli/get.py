"""`maillon get`: read an object into a file or standard output, or all under a prefix into a folder.

Every byte was checked against what the writer sealed before it arrives here, so a file that appears is right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import trio

from node.admin.client import AdminClient
from node.admin.lines import ObjectLine
from node.admin.object_calls import STAT, ObjectRef
from node.cli.files import STANDARD, FileSink, PipeSink
from node.cli.names import ObjectName, parse_object, parse_prefix, relative_key, safe_path
from node.cli.output import Output
from node.cli.progress import Meter, metered
from node.cli.reach import node_of
from node.cli.session import Session
from node.cli.session import command as make_command
from node.text import _, ngettext
from node.text.quantities import show_duration, show_size


@dataclass(frozen=True, slots=True)
class Fetched:
    """What the command did."""

    files: int
    size_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Wanted:
    """One object and where it goes."""

    reference: ObjectRef
    path: Path
    size_bytes: int


@make_command(_("Read SOURCE (BUCKET/KEY) into TARGET (a file or folder, or - for standard output)."))
@click.argument("source")
@click.argument("target")
@click.option("--recursive", "-r", is_flag=True, help=_("Read all under BUCKET or BUCKET/PREFIX into a folder."))
@click.option("--force", is_flag=True, help=_("Replace files that exist."))
@click.option("--namespace", default="", help=_("Which namespace, if the node serves several."))
@click.option(
    "--jobs", default=16, show_default=True, type=click.IntRange(1, 128), help=_("Files under way at once.")
)
async def command(
    session: Session, *, source: str, target: str, recursive: bool, force: bool, namespace: str, jobs: int
) -> None:
    if recursive:
        await _get_folder(session, parse_prefix(source), Path(target), namespace, replace=force, jobs=jobs)
    else:
        await _get_one(session, parse_object(source), target, namespace, replace=force)


async def _get_one(session: Session, name: ObjectName, target: str, namespace: str, *, replace: bool) -> None:
    output = Output(session.output.json, to_error=target == STANDARD)
    reference = ObjectRef(namespace, name.bucket, name.key)
    async with node_of(session) as client:
        size_bytes = (await client.call(STAT, reference)).size_bytes
        async with metered(output, _("get"), total_bytes=size_bytes) as meter:
            if target == STANDARD:
                line = await client.get(reference, PipeSink(), moved=meter.advance)
            else:
                wanted = Wanted(reference, _file_for(name, target), size_bytes)
                line = await _get_file(client, wanted, meter, replace=replace)
            done = Fetched(1, line.size_bytes, round(meter.seconds, 3))
    text = _("Read {name}: {size} in {time}.").format(
        name=name, size=show_size(done.size_bytes), time=show_duration(done.seconds)
    )
    output.result(done, [text])


def _file_for(name: ObjectName, target: str) -> Path:
    """As `cp` does: into a folder, the object keeps the last part of its name."""
    path = Path(target)
    return safe_path(path, name.key.rpartition("/")[2]) if path.is_dir() else path


async def _get_file(client: AdminClient, wanted: Wanted, meter: Meter, *, replace: bool) -> ObjectLine:
    with FileSink(wanted.path, replace=replace) as sink:
        return await client.get(wanted.reference, sink, moved=meter.advance, size_bytes=wanted.size_bytes)


async def _get_folder(
    session: Session, source: ObjectName, folder: Path, namespace: str, *, replace: bool, jobs: int
) -> None:
    async with node_of(session) as client:
        found = [line async for line in client.list_all(namespace, source.bucket, source.key)]
        wanted = [
            Wanted(
                ObjectRef(namespace, line.bucket, line.key),
                safe_path(folder, relative_key(source.key, line.key)),
                line.size_bytes,
            )
            for line in found
        ]
        total_bytes = sum(line.size_bytes for line in found)
        async with metered(session.output, _("get"), total_bytes=total_bytes, total_files=len(found)) as meter:
            waiting = iter(wanted)
            async with trio.open_nursery() as nursery:
                for _worker in range(jobs):
                    nursery.start_soon(_get_each, client, waiting, meter, replace)
            done = Fetched(meter.done_files, meter.done_bytes, round(meter.seconds, 3))
    text = ngettext("Read {count} file: {size} in {time}.", "Read {count} files: {size} in {time}.", done.files)
    size, time = show_size(done.size_bytes), show_duration(done.seconds)
    session.output.result(done, [text.format(count=done.files, size=size, time=time)])


async def _get_each(client: AdminClient, waiting: Iterator[Wanted], meter: Meter, replace: bool) -> None:  # noqa: FBT001
    """One of several workers that take the next object until none is left."""
    for wanted in waiting:
        await _get_file(client, wanted, meter, replace=replace)
        meter.finish_file()
