"""The door for programs, opened when the configuration names a place for it: S3 over HTTP.

It is the last part to start and the first to stop, so that whoever comes in finds everything running, and what was
begun can be finished. Behind it stands the S3 application, and before that one the passing on of what other gateways
of the organisation serve. Those may pass requests on to this node too, whether it has a door of its own or not. The
application is made when it is first needed: a node that serves no programs never loads it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from node.admin.services import Services
from node.config import Config
from node.doors.passed import PassedRequests, Served
from node.doors.passing import Passing, Standing
from node.doors.vouching import Vouching
from node.folder import NodeFolder
from node.host.ports import CertificateFiles, Host, Listener
from node.http.answer import Words
from node.http.asgi import Application, Receive, Scope, Send
from node.http.head import Fault
from node.http.server import HttpServer
from node.logs import get_logger
from node.mesh.peering import Peering
from node.settings import http_settings, s3_settings
from node.vault.vault import Vault
from protocol.errors import MaillonError, Missing
from protocol.ids import NamespaceId, NodeId, OrganisationId
from protocol.members.swim import Status

if TYPE_CHECKING:
    from node.s3.asking.settings import S3Settings

REQUEST_ID_BYTES = 8

log = get_logger(__name__)


class S3Door:
    """An open door. `endpoint` is the URL that programs are told."""

    def __init__(self, server: HttpServer, listener: Listener, endpoint: str) -> None:
        self.endpoint = endpoint
        self._server = server
        self._listener = listener
        self._closed = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled or drained."""
        await self._server.serve(self._listener, task_status=task_status)
        self._closed.set()

    async def drain(self) -> None:
        """Take nobody in any more, and return when what is in flight is done."""
        self._server.drain()
        await self._closed.wait()


async def open_s3_door(nursery: trio.Nursery, services: Services) -> S3Door | None:
    """Open the door, if there is to be one.

    Raises:
        Malformed: `tls-certificate`, `address`. Refused: `address-in-use`. Unavailable: `listen-failed`.
    """
    config, host = services.config, services.host
    if not config.s3.listen:
        return None
    scheme = "https" if config.s3.certificate else "http"
    listener = await _listen(host, services.folder, config)
    server = HttpServer(_application(services), http_settings(config), host.wall, scheme=scheme, tell=_in_s3s_words)
    door = S3Door(server, listener, config.s3.endpoint or f"{scheme}://{listener.address}")
    await nursery.start(door.run)
    log.info("s3-door-open", endpoint=door.endpoint)
    return door


def serve_passed(
    passed: PassedRequests, vault: Vault, host: Host, config: Config, mesh: Peering, organisation: OrganisationId
) -> None:
    """Answer what other gateways of the organisation pass on."""
    view = mesh.view

    def make() -> tuple[Application, Application]:
        own = _own_application(vault, host, config)
        return own, Vouching(
            own, _Place(vault, mesh, config, organisation), mesh, _Refusing(host, s3_settings(config))
        )

    made = functools.cache(make)

    async def vouched(scope: Scope, receive: Receive, send: Send) -> None:
        await made()[0](scope, receive, send)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await made()[1](scope, receive, send)

    def is_sibling(node: NodeId) -> bool:
        found = view.node(node)
        return found is not None and found.organisation == organisation

    def writer_of(namespace: NamespaceId) -> NodeId | None:
        found = view.namespace(namespace)
        return None if found is None or not found.gateway_is_member else found.gateway

    of = functools.partial(standing, vault)
    passed.open(Served(app, vouched, of, is_sibling, writer_of))


def standing(vault: Vault, access_key: str, bucket: str) -> Standing:
    """What this gateway is to the key or, where none is named, to the bucket."""
    try:
        shelves = (vault.key(access_key)[0],) if access_key else vault.shelves_with(bucket)
    except Missing:
        return Standing.STRANGER
    except MaillonError:
        return Standing.UNSURE
    if not shelves:
        return Standing.STRANGER if access_key or vault.is_whole() else Standing.UNSURE
    return Standing.WRITER if any(shelf.is_written_here for shelf in shelves) else Standing.FOLLOWER


class _Place:
    """See `node.doors.passing.Place`."""

    def __init__(self, vault: Vault, mesh: Peering, config: Config, organisation: OrganisationId) -> None:
        from node.s3.asking.targets import asked_bucket

        self._asked_bucket = asked_bucket
        self._vault = vault
        self._mesh = mesh
        self._organisation = organisation
        self._settings = s3_settings(config)
        self._seen = -1
        self._siblings: tuple[NodeId, ...] = ()

    def standing(self, access_key: str, bucket: str) -> Standing:
        return standing(self._vault, access_key, bucket)

    def siblings(self) -> Sequence[NodeId]:
        if self._mesh.version != self._seen:
            self._seen = self._mesh.version
            self._siblings = _gateways(self._mesh, self._organisation)
        return self._siblings

    def answers(self, node: NodeId) -> bool:
        return self._mesh.status(node) is Status.ALIVE

    def bucket_of(self, scope: Scope) -> str:
        from node.s3.asking.request import read_request

        try:
            return self._asked_bucket(read_request(scope, ""), self._settings)
        except MaillonError:
            return ""  # a target that is none is refused here


def _gateways(mesh: Peering, organisation: OrganisationId) -> tuple[NodeId, ...]:
    found = {facts.gateway for facts in mesh.view.namespaces() if facts.organisation == organisation}
    return tuple(sorted(found - {mesh.me}))


def _application(services: Services) -> Application:
    vault, host, config, mesh = services.vault, services.host, services.config, services.mesh
    own = _own_application(vault, host, config)
    if services.membership is None:
        return own
    place, refuse = _Place(vault, mesh, config, services.organisation()), _Refusing(host, s3_settings(config))
    return Passing(Vouching(own, place, mesh, refuse), place, mesh, refuse)


def _own_application(vault: Vault, host: Host, config: Config) -> Application:
    from node.s3.door import Door

    return Door(vault, host, s3_settings(config))


def _in_s3s_words(fault: Fault) -> Words:
    """For requests that are refused before anybody knows what they ask."""
    from node.s3.texts.xml_out import bare_document, leaf

    code = _CODES.get(fault.status, "BadRequest")
    return Words(b"application/xml", bare_document("Error", leaf("Code", code), leaf("Message", fault.reason)))


_CODES = {
    408: "RequestTimeout",
    413: "EntityTooLarge",
    414: "InvalidURI",
    431: "RequestHeaderSectionTooLarge",
    500: "InternalError",
    501: "NotImplemented",
    503: "SlowDown",
    505: "HttpVersionNotSupported",
}


class _Refusing:
    """S3's own words for a request that could not be passed on."""

    def __init__(self, host: Host, settings: S3Settings) -> None:
        self._host = host
        self._settings = settings

    async def __call__(self, scope: Scope, send: Send, error: MaillonError) -> None:
        from node.s3.asking.request import read_request
        from node.s3.asking.targets import target_of
        from node.s3.calls import failures

        request = read_request(scope, self._host.entropy.random_bytes(REQUEST_ID_BYTES).hex().upper())
        with suppress(MaillonError):  # a target that is none is told without it
            request = request.about(target_of(request, self._settings))
        answer = failures.answer(failures.told(error), request)
        headers = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in answer.headers]
        headers.append((b"x-amz-request-id", request.id.encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})


async def _listen(host: Host, folder: NodeFolder, config: Config) -> Listener:
    s3 = config.s3
    if not s3.certificate:
        return await host.network.listen_plain(s3.listen)
    files = CertificateFiles(folder.place(s3.certificate), folder.place(s3.key or s3.certificate))
    return await host.network.listen_public(s3.listen, files)
