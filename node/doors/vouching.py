"""Taking a proven program to the gateway that writes the bucket it asks for, with a word for it.

It stands directly before the application, for what comes in here and for what siblings pass on: a request may so
travel from the gateway that the program knocked at to the one that knows its key, and from there to the one that has
the bucket. That one believes no voucher but that of the gateway that writes the key's namespace, and passes nothing
on itself. What no sibling has is answered here, in the application's own words.
"""

from __future__ import annotations

from node.doors.finding import Finder
from node.doors.passing import Answered, Place, Refuse, Siblings, pass_on
from node.http.asgi import Application, Receive, Scope, Send
from node.logs import get_logger
from node.vouchers import ELSEWHERE_EXTENSION, Elsewhere
from protocol.errors import MaillonError, Unavailable
from protocol.ids import NodeId

log = get_logger(__name__)


class Vouching:
    """An ASGI application around `own`. `refuse` tells a program why nothing came of it."""

    def __init__(self, own: Application, place: Place, mesh: Siblings, refuse: Refuse) -> None:
        self._own = own
        self._place = place
        self._mesh = mesh
        self._refuse = refuse
        self._finder = Finder(place, mesh)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, as ASGI 3 has it."""
        if not self._place.siblings():
            await self._own(scope, receive, send)
            return
        extensions = scope.get("extensions", {})
        scope["extensions"] = {**extensions, ELSEWHERE_EXTENSION: {}}
        try:
            await self._own(scope, receive, send)
            return
        except Elsewhere as raised:
            elsewhere = raised
        scope["extensions"] = extensions
        answered = Answered(send)
        try:
            node = await self._who_has(elsewhere)
            if node is not None:
                if elsewhere.refusal is not None:
                    raise elsewhere.refusal
                await pass_on(self._mesh, node, scope, answered, elsewhere.voucher)
                return
        except MaillonError as error:
            self._finder.doubt(("", elsewhere.voucher.bucket))
            log.info("request-not-vouched", access_key=elsewhere.voucher.access_key, error=str(error))
            if answered.has_begun:
                raise
            await self._refuse(scope, send, error)
            return
        await self._own(scope, receive, send)

    async def _who_has(self, elsewhere: Elsewhere) -> NodeId | None:
        """The gateway that writes the bucket; None when none is known, or when it can only be read, and here.

        A bucket that was never found is not waited for: most are simply not made yet, and programs ask before they
        make one. Raises Unavailable(`gateway-not-ready`) when who had it is silent.
        """
        sought = "", elsewhere.voucher.bucket
        node, is_certain = await self._finder.find(sought, None)
        if node is None and not is_certain and not elsewhere.is_readable and self._finder.has_found(sought):
            raise Unavailable("gateway-not-ready")
        return node
