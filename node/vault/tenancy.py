"""One namespace at its gateway: its journal's writer, its catalog, and the way in and out for its objects.

A tenancy is opened from the secrets on this node's disk. It is served for as long as the node runs: when the
journal cannot be opened yet (too few of its holders answer after a power cut, say), it says why and tries again.
Nothing is served before the journal's tails were adopted and replayed, so what is read is never older than what was
acknowledged.
"""

from __future__ import annotations

import trio

from node.first_error import first_error
from node.logs import get_logger
from node.vault.catalog.catalog import Catalog
from node.vault.journal.writer import JournalWriter
from node.vault.secrets import GatewaySecrets
from node.vault.serving import Open, keep_house, open_for
from node.vault.tenancy_tools import TenancyTools
from protocol.errors import MaillonError, Unavailable
from protocol.members.roster import Rules
from protocol.namespace.journal import decode_opening

log = get_logger(__name__)


class Tenancy:
    """A namespace that this node is the gateway of."""

    def __init__(self, tools: TenancyTools, secrets: GatewaySecrets) -> None:
        self.secrets = secrets
        self._tools = tools
        self._open: Open | None = None
        self._problem: MaillonError = Unavailable("namespace-opening", namespace=secrets.name)
        self._changed = trio.Event()

    @property
    def problem(self) -> MaillonError | None:
        """Why the namespace cannot be used now, or None."""
        return None if self._open is not None else self._problem

    def rules(self) -> Rules:
        """The rules for new blocks, by the view of this moment."""
        return self._tools.rules(self.secrets.data_class)

    def require_open(self) -> Open:
        """The open tenancy. Raises the reason why it is not open."""
        if self._open is None:
            raise self._problem
        return self._open

    async def wait_open(self, deadline_s: float) -> Open:
        """The open tenancy, as soon as it is. Raises the latest reason at the deadline."""
        with trio.move_on_after(deadline_s):
            while self._open is None:
                await self._changed.wait()
        return self.require_open()

    async def run(self) -> None:
        """Serve until cancelled, trying again whenever serving fails."""
        while True:
            try:
                with first_error():
                    await self._serve()
            except MaillonError as error:
                log.warning("namespace.closed", namespace=self.secrets.name, error=str(error))
                self._problem = error
            self._set_open(None)
            await trio.sleep(self._tools.retry_s)

    async def _serve(self) -> None:
        """Open the catalog and the journal, then serve and keep house for as long as the journal's writer runs."""
        opening = decode_opening(self.secrets.opening)
        catalog = Catalog(self._tools.host, opening.namespace)
        try:
            tools = self._tools
            journal = JournalWriter(
                tools.host,
                me=tools.mesh.me,
                opening=opening,
                secrets=self.secrets,
                local=tools.journals,
                ask=tools.mesh.ask,
                catalog=catalog,
                timers=tools.journal_timers,
                name_of=tools.holders.name,
                unreachable=tools.holders.unreachable,
            )
            async with trio.open_nursery() as nursery:
                await nursery.start(journal.run)
                await self._wait_ready(journal)
                serving = open_for(tools, self.secrets, journal, catalog)
                self._set_open(serving)
                nursery.start_soon(keep_house, serving)
        finally:
            self._set_open(None)
            with trio.CancelScope(shield=True):
                await catalog.close()

    async def _wait_ready(self, journal: JournalWriter) -> None:
        """Wait for as long as it takes; meanwhile the reason can be asked for."""
        while True:
            try:
                await journal.wait_ready()
            except Unavailable as error:
                log.info("namespace.waiting", namespace=self.secrets.name, error=str(error))
                self._problem = error
            else:
                return

    def _set_open(self, serving: Open | None) -> None:
        self._open = serving
        self._changed.set()
        self._changed = trio.Event()
