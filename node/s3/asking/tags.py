"""Tags as clients name them, in a header or in XML; objects and buckets differ in how many they may have. Pure."""

from __future__ import annotations

from urllib.parse import parse_qsl

from node.s3.asking.request import Request
from node.s3.texts import faults
from node.s3.texts.faults import S3Error
from node.s3.texts.xml_in import Element
from node.vault.shelf.terms import Tag

TAGS_MAX = 10
BUCKET_TAGS_MAX = 50
_TAG_NAME_MAX, _TAG_VALUE_MAX = 128, 256


def tags_of(request: Request) -> tuple[Tag, ...]:
    """The tags in `x-amz-tagging`. Raises S3Error(InvalidArgument, InvalidTag)."""
    text = request.headers.get("x-amz-tagging")
    if not text:
        return ()
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=100)
    except ValueError:
        raise faults.invalid("x-amz-tagging", text) from None
    return require_tags(tuple(Tag(name, value) for name, value in pairs), TAGS_MAX)


def read_tagging(tagging: Element, limit: int) -> tuple[Tag, ...]:
    """The tags of a Tagging document. Raises S3Error(MalformedXML, InvalidTag)."""
    tagging.only("TagSet")
    sets = list(tagging.all("TagSet"))
    if len(sets) != 1:
        raise S3Error(faults.MALFORMED_XML)
    return read_tags(sets[0], limit)


def read_tags(told: Element, limit: int) -> tuple[Tag, ...]:
    """The tags in an element. Raises S3Error(MalformedXML, InvalidTag)."""
    told.only("Tag")
    return require_tags(tuple(read_tag(one) for one in told.all("Tag")), limit)


def read_tag(told: Element) -> Tag:
    """One tag, with the blanks around its words: they belong to them. Raises S3Error(MalformedXML)."""
    name, value = told.one("Key"), told.one("Value")
    if name is None or not name.text:
        raise S3Error(faults.MALFORMED_XML)
    return Tag(name.text, "" if value is None else value.text)


def require_tags(tags: tuple[Tag, ...], limit: int) -> tuple[Tag, ...]:
    """Raises S3Error(InvalidTag, BadRequest)."""
    if len(tags) > limit:
        raise S3Error(faults.BAD_REQUEST, f"Object tags cannot be greater than {limit}")
    if len({tag.name for tag in tags}) != len(tags):
        raise S3Error(faults.INVALID_TAG, "Cannot provide multiple Tags with the same key")
    for tag in tags:
        if not 1 <= len(tag.name) <= _TAG_NAME_MAX or len(tag.value) > _TAG_VALUE_MAX:
            raise S3Error(faults.INVALID_TAG, "The TagKey or TagValue you have provided is too long")
        if tag.name.lower().startswith("aws:"):
            raise S3Error(faults.INVALID_TAG, "System tags cannot be added/updated by requester")
    return tags
