"""The words of ASGI 3: what a server and an application say to each other (https://asgi.readthedocs.io).

Two extensions move large bodies without copies. `scope["extensions"]["maillon.body"]["receive_into"]` fills a buffer
of the application with the request's body. A message `maillon.parts` sends several buffers as they are; they are the
application's again when `send` returns.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

BODY_EXTENSION = "maillon.body"
PARTS_EXTENSION = "maillon.parts"
