"""The numbers of the kinds of request, apart from the messages, so that who only asks its own node loads no ciphers.

Numbers are never reused. The kinds 36 and 48 to 53 belong to the hand-over of a journal, 54 to guests, 56 and 57 to
gateways of one organisation; 64 is local.
"""

from __future__ import annotations

import enum
from typing import Annotated

from protocol import limits
from protocol.wire.schema import Length

EncodedMessage = Annotated[bytes, Length(0, limits.CALL_BYTES_MAX)]


class Kind(enum.IntEnum):
    """Numbers on the wire."""

    PING = 1
    PING_VIA = 2
    PUSH_RECORDS = 3
    RECONCILE = 4
    FETCH_RECORDS = 5
    JOIN = 6
    BULK_OPEN = 7

    PUT_SHARE = 16
    GET_SHARE = 17
    HAS_SHARES = 18
    GET_LABEL = 19
    PUT_SHARES = 20
    GET_SHARES = 21
    RELEASE_SHARES = 22
    COMPARE_BLOCKS = 23
    RELEASE_STRAYS = 24

    JOURNAL_APPEND = 32
    JOURNAL_TAIL = 33
    JOURNAL_READ = 34
    JOURNAL_OPEN = 35
    JOURNAL_PREPARE = 36

    SUCCESSION_PROMISE = 48
    SUCCESSION_ACCEPT = 49
    SUCCESSION_LEARN = 50
    JOURNAL_COPY = 51
    SUCCESSION_ASK = 52
    JOURNAL_RELEASE = 53
    NAMESPACE_SHOW = 54

    GATEWAY_FIND = 56
    GATEWAY_PASS = 57

    ADMIN = 64
