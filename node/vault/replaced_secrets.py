"""What becomes of a gateway's secrets when it is given others of the same namespace. Pure.

Newer ones replace them: the sheet's owner says who writes. Those of the same generation are for a second gateway,
which only reads. One that was fenced, and so has secrets already, becomes that with the ones it has.
"""

from __future__ import annotations

from dataclasses import replace

from node.vault.secrets import GatewaySecrets
from protocol.errors import MaillonError, Refused

FENCED = "namespace-superseded"
FOLLOWING = "namespace-followed"


def secrets_after(held: GatewaySecrets, given: GatewaySecrets, problem: MaillonError | None) -> GatewaySecrets:
    """The secrets with which to go on; `problem`: why the namespace is not written here, or None.

    Raises:
        Refused: `journal-generation` when those given are not newer; `namespace-here` or `namespace-followed` when
            they ask to follow, of who writes or follows.
    """
    if given.certificate.generation > held.certificate.generation:
        return given
    if given.follows and problem is None:
        raise Refused("namespace-here", namespace=held.name)
    if given.follows and problem is not None and problem.identifier == FOLLOWING:
        raise problem
    if given.follows and problem is not None and problem.identifier == FENCED:
        return replace(held, follows=True, takeover=False)
    raise Refused("journal-generation", namespace=given.namespace, generation=held.certificate.generation)


def by_name(error: MaillonError, name: str) -> MaillonError:
    """Programs and people are told for long that another gateway writes: by the name that they know."""
    return Refused(FENCED, **{**error.parameters, "namespace": name}) if error.identifier == FENCED else error
