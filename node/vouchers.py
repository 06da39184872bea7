"""Programs with a key that another gateway knows, at a bucket that this one writes.

A key is known to the gateway of its namespace alone. A bucket may be shared with it all the same: the gateway that
knows the key proves who asks, sees that the bucket is none of its own, and vouches for the program at the one that
writes the bucket. Here is what the application that proves (`node.s3`) and the passing on of requests (`node.doors`)
say to each other about it, as extensions of ASGI.

Policies name them by the id of their namespace. Its name is its own gateway's affair, and two gateways may use one.
"""

from __future__ import annotations

from protocol.errors import MaillonError
from protocol.passing import Voucher

# In `scope["extensions"]` of an application that may raise Elsewhere.
ELSEWHERE_EXTENSION = "maillon.elsewhere"
# There too: the word of a sibling for the program that asks.
VOUCHER_EXTENSION = "maillon.voucher"


class Elsewhere(Exception):
    """Nobody here writes the bucket that a proven program asks for. Nothing of the body was taken, and nothing said.

    `is_readable`: this gateway follows such a bucket, which serves to read it. `refusal`: why the request would
    not be understood at another gateway, if one has the bucket.
    """

    def __init__(self, voucher: Voucher, *, is_readable: bool, refusal: MaillonError | None = None) -> None:
        super().__init__("the bucket may be another gateway's")
        self.voucher = voucher
        self.is_readable = is_readable
        self.refusal = refusal
