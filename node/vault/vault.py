"""The vault: the objects of the namespaces that this node is the gateway of.

This is the door that the admin socket knocks on, and where S3 finds a namespace's shelf. Each call is short: it finds
the tenancy, and hands over to the module that does the work. Walk a PUT from here: `put` → `put.put_object` → (seal,
code: protocol.coding) → `spread` (place: protocol.placement; send: `holders` → mesh) → `journal`. A GET: `get` →
`get.get_blocks` → `gather` → `holders` → mesh, or the own store.
"""

from __future__ import annotations

import trio

from node.host.ports import Host
from node.logs import get_logger
from node.mesh.peering import Peering
from node.store.journals import JournalStore
from node.store.store import Store
from node.vault.config import VaultConfig, tenancy_tools
from node.vault.create import create_namespace
from node.vault.inspect import Inspector
from node.vault.journal.discover import discover
from node.vault.journal.tools import Known
from node.vault.moving import move
from node.vault.objects import (
    Bucket,
    CreatedNamespace,
    Explanation,
    Listing,
    NamespaceStatus,
    ObjectPath,
    ObjectStat,
    Sink,
    Source,
)
from node.vault.replaced_secrets import secrets_after
from node.vault.secrets import GatewaySecrets, load_secrets, save_secrets, saved_namespaces
from node.vault.serving import Readable
from node.vault.shelf.names import require_bucket_name, require_object_key
from node.vault.shelf.shelf import Shelf
from node.vault.shelf.terms import AccessKey, PutTerms
from node.vault.tenancy import Tenancy
from node.vault.tenancy_tools import read_tools
from protocol.coding.erasure import Engine
from protocol.errors import MaillonError, Missing, Refused
from protocol.ids import NamespaceId, NodeId, identity_from_text, text_of
from protocol.keys.signing import SigningKey
from protocol.namespace.changes import DrillHeld, Metadata

log = get_logger(__name__)


class Vault:
    """Objects in, objects out."""

    def __init__(
        self,
        *,
        host: Host,
        mesh: Peering,
        store: Store,
        journals: JournalStore,
        engine: Engine,
        node_key: SigningKey,
        config: VaultConfig,
    ) -> None:
        self._tools = tenancy_tools(
            host=host, mesh=mesh, store=store, journals=journals, engine=engine, node_key=node_key, config=config
        )
        self._tenancies: dict[NamespaceId, Tenancy] = {}
        self._lives: dict[NamespaceId, _Life] = {}
        self._creating: set[str] = set()
        # Where access keys were found last: among many namespaces, the first place to look.
        self._key_homes: dict[str, NamespaceId] = {}
        self._inspector = Inspector(mesh, self._tools.holders)
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve the namespaces whose secrets are on this node, until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            for name in await self._tools.host.threads.run_blocking(saved_namespaces, self._tools.host.disk):
                try:
                    namespace = NamespaceId(identity_from_text(name))
                    secrets = await self._tools.host.threads.run_blocking(
                        load_secrets, self._tools.host.disk, namespace
                    )
                except MaillonError as error:
                    # One namespace's key file is damaged: that closes it, not this node's service to the others.
                    log.error("vault.secrets-unreadable", namespace=name, error=str(error))
                    continue
                self._begin(nursery, Tenancy(self._tools, secrets))
            task_status.started()
            await trio.sleep_forever()

    async def create_namespace(self, name: str, *, data_class: str = "internal") -> CreatedNamespace:
        """A new namespace, written through this node; its recovery sheet is shown this once.

        Raises:
            Refused: `namespace-exists`, `class-unknown`, `federation-too-small`.
            Unavailable: `journal-holders-too-few`, `journal-quorum`.
        """
        nursery = self._nursery
        if nursery is None:
            raise RuntimeError("the vault is not running")
        if name in self._creating or any(tenancy.secrets.name == name for tenancy in self._tenancies.values()):
            raise Refused("namespace-exists", namespace=name)
        self._creating.add(name)
        try:
            secrets, opening, sheet = await create_namespace(self._tools, name, data_class)
            await self._keep_once_open(nursery, Tenancy(self._tools, secrets, fresh=opening))
        finally:
            self._creating.discard(name)
        return CreatedNamespace(name, secrets.namespace, sheet)

    async def _keep_once_open(self, nursery: trio.Nursery, tenancy: Tenancy) -> None:
        """Save the secrets when the journal stands, and not before: a creation that fails or is cut short then leaves
        no namespace behind that nobody has the sheet of and whose name is taken. All that remains is its card."""
        host = self._tools.host
        life = _Life()
        nursery.start_soon(life.run, tenancy)
        try:
            await tenancy.wait_open(self._tools.spread_times.put_deadline_s)
            await host.faults.reach("vault.before-namespace")
            await tenancy.keep()
        except BaseException:
            life.scope.cancel()
            raise
        self._tenancies[tenancy.secrets.namespace] = tenancy
        self._lives[tenancy.secrets.namespace] = life
        await host.faults.reach("vault.after-namespace")

    async def take_over(self, name: str) -> None:
        """Become the writer of a namespace that another gateway took over; return when it is open here.

        Raises:
            Missing: `namespace-missing`. Whatever keeps it from being opened, at the deadline.
        """
        tenancy = self._named(name)
        await tenancy.take_over()
        await tenancy.wait_open(self._tools.spread_times.put_deadline_s)

    async def move(self, name: str, successor: NodeId) -> None:
        """Have another gateway, which follows this namespace, write it. See `node.vault.moving`.

        Raises:
            Missing: `namespace-missing`. Refused: `namespace-here`, or why it is not written here.
            Unavailable: `namespace-not-moved`.
        """
        await move(self._tools.mesh, self._named(name), successor, self._tools.spread_times.put_deadline_s)

    async def newest(self, namespace: NamespaceId) -> Known:
        """The newest epoch of any namespace that anybody who answers can prove.

        Raises:
            Unavailable: `journal-not-found`.
        """
        facts = self._tools.mesh.view.namespace(namespace)
        tools = read_tools(self._tools, namespace)
        return await discover(tools, None, () if facts is None else facts.journal_holders)

    async def adopt(self, secrets: GatewaySecrets) -> None:
        """Take a namespace over with these secrets, or follow it, if they say so; they replace older ones.

        They are durable before anything else happens: from then on this node tries until it is the writer.

        Raises:
            Refused: `namespace-exists` when another namespace here has the name; `journal-generation` when these
                secrets are not newer than those it has; `namespace-here` or `namespace-followed` where it is to
                follow what it writes, or follows already.
            Unavailable: why the namespace could not be opened, or read, yet.
        """
        nursery, tools = self._nursery, self._tools
        if nursery is None:
            raise RuntimeError("the vault is not running")
        for tenancy in self._tenancies.values():
            if tenancy.secrets.name == secrets.name and tenancy.secrets.namespace != secrets.namespace:
                raise Refused("namespace-exists", namespace=secrets.name)
        before = self._tenancies.get(secrets.namespace)
        if before is not None:
            secrets = secrets_after(before.secrets, secrets, before.problem)
        await tools.host.threads.run_blocking(save_secrets, tools.host.disk, secrets)
        await tools.host.faults.reach("vault.after-adopt")
        life = self._lives.get(secrets.namespace)
        if life is not None:
            life.scope.cancel()
            await life.ended.wait()
        tenancy = self._begin(nursery, Tenancy(tools, secrets))
        if secrets.follows:
            await tenancy.wait_readable(tools.spread_times.put_deadline_s)
        else:
            await tenancy.wait_open(tools.spread_times.put_deadline_s)

    def _begin(self, nursery: trio.Nursery, tenancy: Tenancy) -> Tenancy:
        namespace, life = tenancy.secrets.namespace, _Life()
        self._tenancies[namespace], self._lives[namespace] = tenancy, life
        nursery.start_soon(life.run, tenancy)
        return tenancy

    async def drill_held(self, namespace: NamespaceId, at_s: int) -> None:
        """Journal that a recovery was rehearsed. Raises Missing(`namespace-missing`)."""
        tenancy = self._tenancies.get(namespace)
        if tenancy is None:
            raise Missing("namespace-missing", namespace=text_of(namespace))
        await tenancy.require_writable().journal.append([DrillHeld(at_s)])

    async def sign_off(self) -> None:
        """Serve nobody any more, and say so in every journal, so that no successor need wait."""
        async with trio.open_nursery() as nursery:
            for tenancy in self._tenancies.values():
                nursery.start_soon(tenancy.sign_off)

    async def namespaces(self) -> tuple[NamespaceStatus, ...]:
        """How each namespace of this gateway is, by name."""
        ordered = sorted(self._tenancies.values(), key=lambda tenancy: tenancy.secrets.name)
        return tuple([await self._inspector.status(tenancy) for tenancy in ordered])

    def shelf(self, namespace: str | None) -> Shelf:
        """A namespace as S3 sees it; the only one, when none is named.

        Raises:
            Missing: `namespace-missing`, `namespace-none`. Refused: `namespace-ambiguous`, `not-the-gateway`.
        """
        return self._named(namespace).shelf

    def shelves_with(self, bucket: str) -> tuple[Shelf, ...]:
        """The namespaces that are open and have a bucket of this name, by their names."""
        ordered = sorted(self._tenancies.values(), key=lambda tenancy: tenancy.secrets.name)
        return tuple(tenancy.shelf for tenancy in ordered if tenancy.has_bucket(bucket))

    def is_whole(self) -> bool:
        """Whether every namespace that this gateway writes is open: otherwise a bucket may be in one that is not."""
        return not any(tenancy.is_awaited for tenancy in self._tenancies.values())

    def key(self, key_id: str) -> tuple[Shelf, AccessKey]:
        """The access key of this name, and the namespace that it opens.

        Raises:
            Missing: `key-unknown`. Unavailable: why a namespace is not open that may know it.
        """
        home = self._key_homes.get(key_id)
        first = [self._tenancies[home]] if home in self._tenancies else []
        problem: MaillonError | None = None
        for tenancy in (*first, *self._tenancies.values()):
            try:
                found = tenancy.shelf.keys.find(key_id)
            except MaillonError as error:
                problem = error
                continue
            if found is not None:
                self._key_homes[key_id] = tenancy.secrets.namespace
                return tenancy.shelf, found
        self._key_homes.pop(key_id, None)
        raise problem or Missing("key-unknown", key=key_id)

    async def put(
        self,
        path: ObjectPath,
        source: Source,
        *,
        metadata: tuple[Metadata, ...] = (),
        expected_bytes: int | None = None,
    ) -> ObjectStat:
        """Store the source's bytes under the path, durably, in a bucket that is made if need be."""
        shelf = self.shelf(path.namespace)
        require_bucket_name(path.bucket)
        require_object_key(path.key)
        if not self._named(path.namespace).require_writable().catalog.has_bucket(path.bucket):
            await self._create_bucket(shelf, path.bucket)
        terms = PutTerms(metadata=metadata)
        return await shelf.objects.put(path.bucket, path.key, source, terms, expected_bytes=expected_bytes)

    async def get(self, path: ObjectPath, sink: Sink) -> ObjectStat:
        """Write the object's bytes to the sink; see `node.vault.get`."""
        return await self.shelf(path.namespace).objects.get(path.bucket, path.key, sink)

    async def stat(self, path: ObjectPath) -> ObjectStat:
        """What is known of the object. Raises Missing(`object-missing` | `bucket-missing`)."""
        return await self.shelf(path.namespace).objects.stat(path.bucket, path.key)

    async def buckets(self, namespace: str | None) -> tuple[Bucket, ...]:
        """The namespace's buckets, by name."""
        _tenancy, serving = self._at(namespace)
        return tuple(Bucket(bucket.bucket, bucket.created_s) for bucket in await serving.catalog.buckets())

    async def list(
        self, bucket: str, prefix: str, *, start_after: str, limit: int, namespace: str | None = None
    ) -> Listing:
        """Up to `limit` objects whose keys begin with `prefix` and come after `start_after`, in key order."""
        page = await self.shelf(namespace).objects.list(bucket, prefix=prefix, start_after=start_after, limit=limit)
        return Listing(page.entries, truncated=page.next_after is not None)

    async def remove(self, path: ObjectPath) -> None:
        """Forget the object, durably; in a bucket that keeps versions, have its key name nothing any more.

        Raises:
            Missing: `object-missing`, `object-deleted`, `bucket-missing`.
        """
        objects = self.shelf(path.namespace).objects
        await objects.stat(path.bucket, path.key)
        await objects.delete(path.bucket, path.key)

    async def explain(self, path: ObjectPath) -> Explanation:
        """Where each share of the object is, and why it is allowed there."""
        tenancy, serving = self._at(path.namespace)
        stored, blocks = await serving.catalog.whole(path.bucket, path.key)
        return self._inspector.explain(tenancy, serving, stored, blocks)

    async def _create_bucket(self, shelf: Shelf, bucket: str) -> None:
        try:
            await shelf.buckets.create(bucket)
        except Refused as error:
            if error.identifier != "bucket-exists":  # another put was quicker
                raise

    def _at(self, name: str | None) -> tuple[Tenancy, Readable]:
        """The named tenancy, or the only one, for reading."""
        tenancy = self._named(name)
        return tenancy, tenancy.require_readable()

    def _named(self, name: str | None) -> Tenancy:
        """The named tenancy, or the only one."""
        if name is None and len(self._tenancies) > 1:
            known = sorted(tenancy.secrets.name for tenancy in self._tenancies.values())
            raise Refused("namespace-ambiguous", known=tuple(known))
        for tenancy in self._tenancies.values():
            if name in (None, tenancy.secrets.name):
                return tenancy
        raise self._not_here(name)

    def _not_here(self, name: str | None) -> Refused | Missing:
        """Say which gateway to go to, when other members of this organisation have namespaces."""
        gateways = self._inspector.other_gateways()
        if gateways:
            return Refused("not-the-gateway", namespace=name or "", gateways=gateways)
        if self._tenancies and name:
            return Missing("namespace-missing", namespace=name)
        return Missing("namespace-none")


class _Life:
    """One run of a tenancy, until its scope is cancelled."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.ended = trio.Event()

    async def run(self, tenancy: Tenancy) -> None:
        try:
            with self.scope:
                await tenancy.run()
        finally:
            self.ended.set()
