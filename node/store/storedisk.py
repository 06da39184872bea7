"""One disk of the store: its volumes, its reader and its writer, and how it comes back from a damaged index."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from node.host.ports import Host
from node.logs import get_logger
from node.store.buffers import BufferPool
from node.store.config import DiskConfig, StoreConfig
from node.store.index import ShareIndex
from node.store.layout import RebuildWork, Work
from node.store.opening import open_volumes
from node.store.reading import ShareReader
from node.store.shares import NamespaceUsage
from node.store.volumes import DiskVolumes, Outcome
from node.store.writer import DiskWriter
from protocol.errors import Damaged, MaillonError
from protocol.ids import NamespaceId

log = get_logger(__name__)


class StoreDisk:
    """`open`, `close` and `append` block. `volumes` and `reader` exist while it is open."""

    volumes: DiskVolumes
    reader: ShareReader

    def __init__(self, host: Host, config: DiskConfig, limits: StoreConfig, pool: BufferPool) -> None:
        self.path = config.path
        self.is_open = False
        self.writer = DiskWriter(host.threads, self.append, batch_bytes_max=limits.batch_bytes_max)
        self._host = host
        self._config = config
        self._limits = limits
        self._pool = pool
        self._retired: list[DiskVolumes] = []

    def open(self) -> None:
        """Open it, or log why it cannot be opened."""
        try:
            self.volumes = open_volumes(self._host, self._config, self._limits, self._pool)
        except (OSError, MaillonError) as error:
            log.error("disk-unreadable", disk=self.path, reason=str(error))
            return
        self.reader = ShareReader(self.volumes, self._pool)
        self.is_open = True
        log.info("disk-open", disk=self.path, shares=self.volumes.index.share_count())

    def append(self, works: Sequence[Work | RebuildWork]) -> list[Outcome]:
        """What the writer does with a batch."""
        wanted = [work for work in works if not isinstance(work, RebuildWork)]
        if len(wanted) < len(works):
            self._rebuild()
        try:
            outcomes = iter(self.volumes.append(wanted))
        except Damaged as error:
            if error.identifier != "index-damaged":
                raise
            # What of the batch is durable already is found by the rebuilding, and not written again.
            self._rebuild()
            outcomes = iter(self.volumes.append(wanted))
        return [Outcome.DONE if isinstance(work, RebuildWork) else next(outcomes) for work in works]

    def _rebuild(self) -> None:
        """Readers go on with the old index until the new one is there."""
        before = self.volumes
        self._retired.append(before)
        self.volumes = open_volumes(self._host, self._config, self._limits, self._pool, rebuild=True)
        self.volumes.state = before.state
        self.volumes.ruins = before.ruins
        self.volumes.use(max(before.active, self.volumes.active))
        self.reader = ShareReader(self.volumes, self._pool)

    def room_bytes(self) -> int:
        try:
            return self.volumes.room_bytes()
        except OSError:
            return 0

    def close(self) -> None:
        for volumes in self._retired:
            volumes.index.close()
            volumes.handles.close()
        try:
            self.volumes.close()
        except (OSError, MaillonError) as error:
            log.warning("disk-close-failed", disk=self.path, reason=str(error))


def merge_namespaces(indexes: Iterable[ShareIndex]) -> tuple[NamespaceUsage, ...]:
    """What each namespace keeps on all disks together."""
    total: dict[NamespaceId, tuple[int, int]] = {}
    for index in indexes:
        for usage in index.namespace_usage():
            shares, size_bytes = total.get(usage.namespace, (0, 0))
            total[usage.namespace] = (shares + usage.shares, size_bytes + usage.size_bytes)
    return tuple(NamespaceUsage(name, shares, size) for name, (shares, size) in sorted(total.items()))
