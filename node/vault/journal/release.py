"""Letting go of epochs that nobody needs any more: a signed word to every member that may keep them."""

from __future__ import annotations

import trio

from node.vault.journal.line import note_problem
from node.vault.journal.tools import JournalTools
from protocol.errors import MaillonError
from protocol.ids import NodeId
from protocol.namespace.journal import Opening
from protocol.requests import Done, Kind
from protocol.succession.requests import ReleaseJournals
from protocol.succession.succession import sign_release
from protocol.wire import schema


async def release_journals(tools: JournalTools, opening: Opening, below: int) -> None:
    """Release the epochs before `below`, here and at everybody who answers. `opening` is that of our own epoch."""
    release = ReleaseJournals(schema.encode(sign_release(tools.writer_key, opening, below=below)))

    async def ask(node: NodeId) -> None:
        try:
            await tools.ask(node, Kind.JOURNAL_RELEASE, release, Done, deadline_s=tools.timers.ask_deadline_s)
        except MaillonError as error:
            note_problem(node, error)

    await tools.local.release_below(tools.namespace, below)
    async with trio.open_nursery() as nursery:
        for node in sorted(tools.live() - {tools.me}):
            nursery.start_soon(ask, node)
