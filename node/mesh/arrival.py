"""The first step of a recovery: from an address on a sheet to every record of the federation.

The machine has nothing yet but a node key of its own and a certificate by the namespace's root. It dials one member
after the other until one lets it in, and learns on that connection every record that the member knows; they prove
themselves, so it does not matter whom it asked first. Nothing is written here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import trio

from node.host.addresses import address_of_peer
from node.host.ports import Host
from node.mesh.comparing import learn
from node.mesh.config import MeshConfig
from node.mesh.guest import show
from node.mesh.join import absorb, while_open
from node.net.connection import connect, dispatch
from node.net.identity import Credentials
from protocol.errors import MaillonError, Refused, Unavailable
from protocol.ids import FederationId
from protocol.keys.signing import SigningKey
from protocol.members.records import Record
from protocol.members.view import View
from protocol.namespace.root import WriterCertificate
from protocol.requests import Kind
from protocol.wire.envelopes import Role

T = TypeVar("T")


async def arrive(
    host: Host,
    key: SigningKey,
    certificate: WriterCertificate,
    federation: FederationId,
    addresses: Sequence[str],
    config: MeshConfig,
) -> tuple[Record, ...]:
    """Every record of the federation, from the first member that lets us in.

    Raises:
        Refused: `sheet-federation` when a member of another federation answered, and none of this one.
        Unavailable: `namespace-unknown` when the members know no such namespace; or `sheet-addresses`, with what
            came of each address.
    """
    view = View(federation)
    reasons: list[str] = []
    verdict: MaillonError | None = None
    for address in addresses:
        try:
            await _ask_at(host, key, certificate, view, address, config)
        except MaillonError as error:
            reasons.append(f"{address}: {error.identifier}")
            verdict = verdict or _verdict(error, federation, address)
        except trio.TooSlowError:
            reasons.append(f"{address}: deadline")
        else:
            return tuple(view.records())
    raise verdict or Unavailable("sheet-addresses", reasons=tuple(reasons))


async def _ask_at(
    host: Host, key: SigningKey, certificate: WriterCertificate, view: View, address: str, config: MeshConfig
) -> None:
    with trio.fail_after(config.dial_timeout_s):
        connection = await connect(
            await host.network.dial(address_of_peer(address)),
            Credentials(Role.NAMESPACE, view.federation, key),
            expected=None,
            gate=lambda _role, _node: None,
            handler=dispatch({}),
            entropy=host.entropy,
            settings=config.net,
        )

    async def ask(kind: Kind, message: object, reply: type[T], /) -> T:
        answer = await connection.ask(kind, message, reply, deadline_s=config.ask_timeout_s)
        return answer.message

    async def keep(came: Sequence[Record]) -> Sequence[Record]:
        return absorb(view, came)

    async def enter() -> None:
        await show(connection, [certificate], config.ask_timeout_s)
        await learn(host, view, ask, keep)

    await while_open(connection, enter)


def _verdict(error: MaillonError, federation: FederationId, address: str) -> MaillonError | None:
    """What is worth more than the list of addresses that did not do."""
    if error.identifier == "federation-other":
        return Refused("sheet-federation", federation=federation, address=address)
    return error if error.identifier == "namespace-unknown" else None
