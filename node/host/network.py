"""The real network: TCP under TLS 1.3, plain TCP, and Unix sockets for the node's own commands."""

from __future__ import annotations

import errno
import socket
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from node.host.addresses import InternetAddress, UnixAddress, parse_address, unix_name
from node.host.plain import PlainStream
from node.host.ports import CertificateFiles, Listener, Stream
from node.host.sockets import OpenSocket, reason_of
from node.host.tls import RECEIVE_BATCH_BYTES, TlsStream
from node.logs import get_logger
from protocol.errors import MaillonError, Refused, Unavailable
from protocol.limits import CONNECTIONS_MAX

if TYPE_CHECKING:
    from node.host.certificate import TlsContexts

_BACKLOG = 128
# What accept(2) says when this process or machine has no more descriptors or memory: wait for some to come back.
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)
_EXHAUSTED_WAIT_S = 0.1

log = get_logger(__name__)


class RealNetwork:
    """See `ports.Network`. TLS contexts are made at first use: a command that only asks its own node needs none."""

    def __init__(self, make_contexts: Callable[[], TlsContexts]) -> None:
        self._make_contexts = make_contexts
        self._contexts: TlsContexts | None = None
        self._scratch = memoryview(bytearray(RECEIVE_BATCH_BYTES))

    async def dial(self, address: str) -> Stream:
        opened = await _dial(address)
        stream = TlsStream(opened, self._tls().dialling, self._scratch, None)
        try:
            await stream.shake_hands()
        except BaseException:
            opened.close()
            raise
        return stream

    async def dial_plain(self, address: str) -> Stream:
        return PlainStream(await _dial(address))

    async def listen(self, address: str) -> Listener:
        contexts = self._tls()

        def wrap(opened: OpenSocket) -> Stream:
            return TlsStream(opened, contexts.listening, self._scratch, contexts.binding)

        return SocketListener(await _listen(address), address, wrap)

    async def listen_plain(self, address: str) -> Listener:
        return SocketListener(await _listen(address), address, PlainStream)

    async def listen_public(self, address: str, files: CertificateFiles) -> Listener:
        from node.host.public import PublicCertificate  # only a node with such a door needs it

        certificate = PublicCertificate(files)

        def wrap(opened: OpenSocket) -> Stream:
            return TlsStream(opened, certificate.context(), self._scratch, certificate.binding)

        return SocketListener(await _listen(address), address, wrap)

    def _tls(self) -> TlsContexts:
        if self._contexts is None:
            self._contexts = self._make_contexts()
        return self._contexts


class SocketListener:
    """See `ports.Listener`. A handler that fails closes its own stream and is logged; the others go on."""

    def __init__(self, listening: socket.socket, asked: str, wrap: Callable[[OpenSocket], Stream]) -> None:
        self._socket = listening
        parsed = parse_address(asked)
        self._unix_path = parsed.path if isinstance(parsed, UnixAddress) else None
        if isinstance(parsed, InternetAddress):
            parsed = InternetAddress(parsed.host, listening.getsockname()[1])
        self._address = str(parsed)
        self._wrap = wrap
        self._open = 0
        self._accepting = trio.CancelScope()

    @property
    def address(self) -> str:
        return self._address

    async def serve(
        self,
        handler: Callable[[Stream], Awaitable[None]],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        try:
            async with trio.open_nursery() as nursery:
                task_status.started()
                with self._accepting:
                    await self._accept_all(nursery, handler)
                self._close()
        finally:
            self._close()

    def stop(self) -> None:
        self._accepting.cancel()

    async def _accept_all(self, nursery: trio.Nursery, handler: Callable[[Stream], Awaitable[None]]) -> None:
        while True:
            connected = await self._accept()
            if self._open >= CONNECTIONS_MAX:
                log.warning("connections-full", address=self.address, open=self._open)
                connected.close()
                continue
            self._open += 1
            nursery.start_soon(self._handle, handler, connected)

    async def _accept(self) -> socket.socket:
        while True:
            try:
                return self._socket.accept()[0]
            except (BlockingIOError, ConnectionAbortedError, InterruptedError):
                await trio.lowlevel.wait_readable(self._socket)
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                log.error("accept-failed", address=self.address, reason=reason_of(error))
                await trio.sleep(_EXHAUSTED_WAIT_S)

    async def _handle(self, handler: Callable[[Stream], Awaitable[None]], connected: socket.socket) -> None:
        stream = self._wrap(OpenSocket(connected))
        try:
            await handler(stream)
        except MaillonError as error:
            log.info("stream-ended", address=self.address, error=str(error))
        except Exception:
            # A peer's bytes led here: it may lose its own stream by that, never take the node down.
            log.exception("stream-handler-failed", address=self.address)
        finally:
            self._open -= 1
            await stream.aclose()

    def _close(self) -> None:
        if self._socket.fileno() < 0:
            return
        trio.lowlevel.notify_closing(self._socket)
        self._socket.close()
        if self._unix_path is not None:
            self._unix_path.unlink(missing_ok=True)


async def _dial(address: str) -> OpenSocket:
    """Raises Unavailable(`dial-failed`), Malformed(`address`)."""
    parsed = parse_address(address)
    try:
        if isinstance(parsed, UnixAddress):
            return OpenSocket(await _dial_unix(parsed.path))
        stream = await trio.open_tcp_stream(parsed.host, parsed.port)
    except OSError as error:
        raise Unavailable("dial-failed", address=address, reason=reason_of(error)) from error
    # Trio's stream keeps little unsent data in the kernel, which suits it and not the large batches sent here.
    return OpenSocket(socket.socket(fileno=stream.socket.detach()))


async def _dial_unix(path: Path) -> socket.socket:
    dialling = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        dialling.setblocking(False)
        with unix_name(path) as name:
            dialling.connect(name)  # a Unix socket connects at once or says why not
    except BaseException:
        dialling.close()
        raise
    await trio.lowlevel.checkpoint()
    return dialling


async def _listen(address: str) -> socket.socket:
    """Raises Refused(`address-in-use`), Unavailable(`listen-failed`), Malformed(`address`)."""
    parsed = parse_address(address)
    try:
        if isinstance(parsed, UnixAddress):
            return _listen_unix(parsed.path)
        return await _listen_internet(parsed)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Refused("address-in-use", address=address) from error
        raise Unavailable("listen-failed", address=address, reason=reason_of(error)) from error


async def _listen_internet(address: InternetAddress) -> socket.socket:
    flags = socket.AI_PASSIVE
    found = await trio.socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=flags)
    family, kind, number, _, place = found[0]
    listening = socket.socket(family, kind, number)
    try:
        listening.setblocking(False)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(place)
        listening.listen(_BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


def _listen_unix(path: Path) -> socket.socket:
    """Whoever listens here holds the node's lock, so a socket left at `path` is a dead one."""
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        path.unlink()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.setblocking(False)
        with unix_name(path) as name:
            listening.bind(name)
        path.chmod(0o600)  # before `listen`: nobody can have connected yet
        listening.listen(_BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening
