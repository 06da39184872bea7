"""Who owns buckets and objects, as S3's XML says it: a namespace owns all that is in it."""

from __future__ import annotations

from node.s3.calls.call import Call
from node.s3.texts.xml_out import leaf, node


def owner_of(call: Call, name: str = "Owner") -> str:
    """The element."""
    return node(name, leaf("ID", call.owner_id), leaf("DisplayName", call.shelf.namespace))
