"""One namespace at its gateway: its journal's writer, its catalog, and the way in and out for its objects.

A tenancy is opened from the secrets on this node's disk, by succession: this node ends the newest epoch, adopts all
that its holders can show, and goes on in an epoch of its own. It is served for as long as the node runs: when the
journal cannot be opened yet (too few of its holders answer after a power cut, say), it says why and tries again.
Nothing is served before what was adopted is in the catalog, nor when another writer may have taken over, so what is
read is never older than what was acknowledged. When another gateway has taken over, this one serves nothing until
somebody tells it to take over in turn. A gateway may also be told to follow another one: then it reads
(`node.vault.following`), until it is told to take over.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence, Set
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import trio

from node.first_error import first_error
from node.logs import get_logger
from node.vault.announce import announce
from node.vault.blocks import fetch_block
from node.vault.catalog.catalog import Catalog
from node.vault.checkpoint.loading import load_tables
from node.vault.chores import checkpointer_for, expirer_for, shelf_of
from node.vault.following import Followed, Follower
from node.vault.journal.discover import discover
from node.vault.journal.keeper import HolderKeeper
from node.vault.journal.own_copy import OwnCopy
from node.vault.journal.reader import Epochs
from node.vault.journal.release import release_journals
from node.vault.journal.succeed import Ended
from node.vault.journal.takeover import Succeeded, Successor, require_ours
from node.vault.journal.tools import Known
from node.vault.journal.writer import JournalWriter
from node.vault.pins import Pins
from node.vault.replaced_secrets import by_name
from node.vault.secrets import GatewaySecrets, save_secrets
from node.vault.serving import Open, Readable, block_tools, keep_house, open_for, reading_for
from node.vault.tenancy_tools import TenancyTools, journal_tools
from protocol.errors import MaillonError, Refused, Unavailable
from protocol.ids import NodeId
from protocol.members.roster import Rules
from protocol.namespace.changes import Change, Checkpoint, WriterSignedOff
from protocol.namespace.journal import Opening, decode_opening, encode_opening

log = get_logger(__name__)


class Tenancy:
    """A namespace that this node is the gateway of.

    `fresh` is a first epoch that nobody has written yet: it is gone on with as it is, and not before `keep` is
    anything on this node's disk.
    """

    def __init__(self, tools: TenancyTools, secrets: GatewaySecrets, *, fresh: Opening | None = None) -> None:
        self.secrets = secrets
        self.shelf = shelf_of(tools, secrets, self.require_readable, self.require_writable)
        self._tools = tools
        self._journal_tools = journal_tools(tools, secrets)
        self._fresh = fresh
        self._is_kept = fresh is None
        self._open: Open | None = None
        self._readable: Readable | None = None
        # Rows of the newest checkpoint that have arrived, of how many; None when none are on their way.
        self.arrival: tuple[int, int] | None = None
        self._problem: MaillonError = Unavailable("namespace-opening", namespace=secrets.name)
        self._changed = trio.Event()
        self._wanted = trio.Event()
        self._serving = trio.CancelScope()

    # --- what stands above uses ----------------------------------------------------------------------------------

    @property
    def problem(self) -> MaillonError | None:
        """Why the namespace cannot be used now, or None."""
        try:
            self.require_open()
        except MaillonError as error:
            return error
        return None

    def rules(self) -> Rules:
        """The rules for new blocks, by the view of this moment."""
        return self._tools.rules(self.secrets.data_class)

    def require_open(self) -> Open:
        """The open tenancy. Raises the reason why it is not open."""
        if self._open is None:
            raise self._problem
        self._open.journal.require_lease()
        return self._open

    def require_readable(self) -> Readable:
        """The tenancy, as soon as what has arrived in its catalog may be read. Raises the reason why it may not."""
        if self._readable is None:
            raise self._problem
        self._readable.journal.require_lease()
        return self._readable

    def require_writable(self) -> Open:
        """The same, for whoever wants to write. Raises Refused(`namespace-read-only`) when this node is no member."""
        if not self._is_member():
            raise Refused("namespace-read-only", namespace=self.secrets.name)
        return self.require_open()

    def has_bucket(self, bucket: str) -> bool:
        """Whether the namespace is open and has such a bucket."""
        try:
            return self.require_readable().catalog.has_bucket(bucket)
        except MaillonError:
            return False

    @property
    def is_awaited(self) -> bool:
        """Whether this gateway writes the namespace and it is not open, so that what is in it cannot be said yet."""
        if self.secrets.follows and not self.secrets.takeover:
            return False
        try:
            self.require_readable()
        except MaillonError as error:
            return error.identifier != "namespace-superseded"
        return False

    async def wait_open(self, deadline_s: float) -> Open:
        """The open tenancy, as soon as it is. Raises the latest reason at the deadline."""
        with trio.move_on_after(deadline_s):
            while self._open is None:
                await self._changed.wait()
        return self.require_open()

    async def wait_readable(self, deadline_s: float) -> Readable:
        """The tenancy, as soon as it may be read. Raises the latest reason at the deadline."""
        with trio.move_on_after(deadline_s):
            while self._readable is None:
                await self._changed.wait()
        return self.require_readable()

    async def keep(self) -> None:
        """Have the namespace still be there after a restart: what is fresh is not, until then."""
        self._is_kept = True
        await self._save()

    async def take_over(self) -> None:
        """Become the writer, whoever is now. Durable: it is tried until it was decided, also after a restart."""
        self.secrets = replace(self.secrets, takeover=True)
        await self._save()
        self._wanted.set()

    async def roll_over(self, first: Sequence[Change] = ()) -> None:
        """Go on in a new epoch, with the holders that are best now; its first entry says `first`.

        Raises:
            Unavailable: the reason why this cannot be done now; the tenancy may be opened anew because of it.
        """
        journal = self.require_open().journal
        await journal.roll_over(self._end_epoch, first)
        await self._enter(journal.opening)

    async def append(self, changes: Sequence[Change]) -> None:
        """Journal changes."""
        await self.require_open().journal.append(changes)

    async def release_journals(self, below: int) -> None:
        """Let every member delete the epochs before `below`. Who is away keeps them until the next time."""
        journal = self.require_open().journal
        await release_journals(self._journal_tools, journal.opening, below)

    async def sign_off(self) -> None:
        """Say in the journal that nobody is served here any more, so that a successor need not wait."""
        try:
            await self._leave(WriterSignedOff())
        except MaillonError as error:
            log.info("namespace.not-signed-off", namespace=self.secrets.name, error=str(error))

    async def hand_over(self, successor: NodeId) -> None:
        """Serve nobody any more, ask `successor` in the journal to go on, and follow it from then on.

        Raises:
            MaillonError: why the journal could not say so; the namespace is closed then, and opened anew.
        """
        self.require_open()
        self.secrets = replace(self.secrets, follows=True)
        await self._save()
        try:
            await self._leave(WriterSignedOff(successor))
        finally:
            self._serving.cancel()

    async def _leave(self, last: WriterSignedOff) -> None:
        serving = self._open
        self._set_open(None)
        self._set_readable(None)
        if serving is not None:
            self._problem = Unavailable("namespace-closing", namespace=self.secrets.name)
            await serving.journal.append([last])

    async def run(self) -> None:
        """Serve until cancelled, trying again whenever serving fails."""
        while True:
            try:
                with first_error():
                    if self.secrets.follows and not self.secrets.takeover:
                        await self._follow()
                        continue
                    await self._serve()
                    continue
            except MaillonError as error:
                log.warning("namespace.closed", namespace=self.secrets.name, error=str(error))
                self._problem = by_name(error, self.secrets.name)
            self._set_open(None)
            if self._problem.identifier == "namespace-superseded" and not self.secrets.takeover:
                await self._wanted.wait()
            await trio.sleep(self._tools.retry_s)

    # --- inside --------------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        """Become the writer, then serve for as long as the writer runs, or until it hands over."""
        async with self._opened_catalog() as catalog:
            succeeded = await self._begin()
            epochs = Epochs(self._journal_tools, succeeded.known)
            journal = JournalWriter(
                self._journal_tools, epochs, succeeded.known, catalog, partial(self._load, catalog)
            )
            serving = open_for(self._tools, self.secrets, journal, catalog)
            async with trio.open_nursery() as nursery:
                self._serving = nursery.cancel_scope
                await nursery.start(journal.run)
                nursery.start_soon(self._let_read, serving, succeeded.serve_after_s)
                await self._wait_ready(journal)
                await trio.sleep_until(max(succeeded.serve_after_s, trio.current_time()))
                self._set_open(serving)
                if self._is_member():
                    nursery.start_soon(keep_house, serving)
                    nursery.start_soon(expirer_for(self._tools, self.secrets, serving).run)
                    nursery.start_soon(checkpointer_for(self._tools, self.secrets, serving, self).run)
                nursery.start_soon(HolderKeeper(self._journal_tools, journal, self.roll_over).run)

    @asynccontextmanager
    async def _opened_catalog(self) -> AsyncIterator[Catalog]:
        """The catalog of one life; at its end nobody reads or writes here any more."""
        catalog = Catalog(self._tools.host, self.secrets.namespace)
        try:
            await catalog.open()
            yield catalog
        finally:
            self._set_readable(None)
            self._set_open(None)
            with trio.CancelScope(shield=True):
                await catalog.close()

    async def _follow(self) -> None:
        """Read what another gateway writes, until somebody tells this one to take over."""
        self._wanted = trio.Event()  # before any wait: whoever calls from here on is heard
        facts = self._tools.mesh.view.namespace(self.secrets.namespace)
        async with self._opened_catalog() as catalog:
            follower = Follower(
                self._journal_tools,
                catalog,
                partial(self._load, catalog),
                self._tools.follow_every_s,
                () if facts is None else facts.journal_holders,
            )
            async with trio.open_nursery() as nursery:
                nursery.start_soon(follower.run)
                nursery.start_soon(self._let_follow, follower, catalog)
                nursery.start_soon(self._answer_call, follower)
                await self._wanted.wait()
                self._problem = Unavailable("namespace-opening", namespace=self.secrets.name)
                nursery.cancel_scope.cancel()

    async def _answer_call(self, follower: Follower) -> None:
        await follower.wait_called()
        log.info("namespace.handed-over", namespace=self.secrets.name)
        await self.take_over()

    async def _let_follow(self, follower: Follower, catalog: Catalog) -> None:
        await follower.wait_ready()
        writer = self._journal_tools.name_of(follower.opening.certificate.node)
        self._problem = Refused("namespace-followed", namespace=self.secrets.name, gateway=writer)
        blocks = block_tools(self._tools, self.secrets.writer_key, self.secrets.namespace)
        reading = reading_for(self._tools, blocks, Pins(), follower.read_inline)
        self._set_readable(Followed(follower, catalog, reading))

    def _is_member(self) -> bool:
        """Whether this node may write; a guest that recovers may not, so it has no house to keep either."""
        return self._tools.mesh.view.node(self._tools.mesh.me) is not None

    async def _begin(self) -> Succeeded:
        """An epoch of our own."""
        fresh, self._fresh = self._fresh, None
        if fresh is not None:
            await self._announce(fresh)
            return Succeeded(Known(fresh, None), trio.current_time())
        hint = decode_opening(self.secrets.opening) if self.secrets.opening else None
        facts = self._tools.mesh.view.namespace(self.secrets.namespace)
        known = await discover(self._journal_tools, hint, () if facts is None else facts.journal_holders)
        if not self.secrets.takeover:
            require_ours(self._journal_tools, known)
        self._wanted = trio.Event()
        succeeded = await self._succeed(known)
        await self._enter(succeeded.known.opening)
        return succeeded

    async def _succeed(self, known: Known) -> Succeeded:
        """Become the writer; who it waits for can be asked meanwhile."""
        successor = Successor(self._journal_tools)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tell_waiting, successor, known)
            succeeded = await successor.become_writer(known, is_forced=self.secrets.takeover)
            nursery.cancel_scope.cancel()
        return succeeded

    async def _tell_waiting(self, successor: Successor, known: Known) -> None:
        while True:
            await trio.sleep(self._tools.journal_timers.tails_grace_s)
            opening = known.opening
            self._problem = Unavailable(
                "journal-not-ready",
                namespace=self.secrets.namespace,
                needed=len(opening.holders) - opening.losses,
                away=successor.waits_for(),
            )

    async def _end_epoch(self, known: Known, copy: OwnCopy) -> Ended:
        return await Successor(self._journal_tools).end_epoch(known, copy)

    async def _enter(self, opening: Opening) -> None:
        """The epoch is ours: remember it, and tell the members."""
        self.secrets = replace(self.secrets, opening=encode_opening(opening), takeover=False, follows=False)
        await self._save()
        await self._announce(opening)

    async def _save(self) -> None:
        if self._is_kept:
            await self._tools.host.threads.run_blocking(save_secrets, self._tools.host.disk, self.secrets)

    async def _announce(self, opening: Opening) -> None:
        tools = self._tools
        await announce(
            tools.host,
            tools.mesh,
            opening,
            writer_key=self.secrets.writer_key,
            node_key=tools.node_key,
            deadline_s=tools.spread_times.put_deadline_s,
        )

    async def _let_read(self, serving: Open, serve_after_s: float) -> None:
        """What has arrived in the catalog may be read, once no other writer serves any more."""
        await trio.sleep_until(max(serve_after_s, trio.current_time()))
        self._set_readable(serving)

    async def _load(self, catalog: Catalog, checkpoint: Checkpoint, touched: Set[bytes]) -> None:
        def note(rows: int, of_rows: int) -> None:
            self.arrival = (rows, of_rows)

        blocks = block_tools(self._tools, self.secrets.writer_key, self.secrets.namespace)
        fetch = partial(fetch_block, blocks)
        try:
            await load_tables(self._tools.host, catalog, fetch, checkpoint, touched, note)
        finally:
            self.arrival = None

    async def _wait_ready(self, journal: JournalWriter) -> None:
        """Wait for as long as it takes; meanwhile the reason can be asked for."""
        while True:
            try:
                await journal.wait_ready()
            except Unavailable as error:
                if error.identifier != "journal-not-ready":
                    raise
                log.info("namespace.waiting", namespace=self.secrets.name, error=str(error))
                self._problem = error
            else:
                return

    def _set_open(self, serving: Open | None) -> None:
        self._open = serving
        self._tell_change()

    def _set_readable(self, readable: Readable | None) -> None:
        self._readable = readable
        self._tell_change()

    def _tell_change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
