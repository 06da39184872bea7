"""XML in and out: small trees, within bounds, and nothing that reaches beyond its own bytes."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.s3.texts.faults import S3Error
from node.s3.texts.xml_in import ELEMENTS_MAX, parse
from node.s3.texts.xml_out import document, leaf, node

BOMB = b'<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb">' + b"".join(
    b'<!ENTITY %c "&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;">' % ((letter + 1,) + (letter,) * 8) for letter in range(98, 112)
)
BAD = {
    "a bomb of entities": BOMB + b"]><a>&p;</a>",
    "an entity from a file": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "a document type": b"<!DOCTYPE a><a/>",
    "an unknown entity": b"<a>&nothing;</a>",
    "an instruction": b"<a><?php x?></a>",
    "depth": b"<a>" * 17 + b"</a>" * 17,
    "a long namespace": b"<a xmlns='" + b"n" * 1_000_000 + b"'>" + b"<b/>" * 20_000 + b"</a>",
    "number": b"<a>" + b"<b/>" * ELEMENTS_MAX + b"</a>",
    "another root": b"<b/>",
    "half of it": b"<a><b>",
    "two roots": b"<a/><a/>",
    "nothing": b"",
    "bytes that are no text": b"<a>\xff\xfe</a>",
    "an unknown encoding": b'<?xml version="1.0" encoding="x-none"?><a/>',
}


@pytest.mark.parametrize("name", BAD)
def test_bad_xml_is_refused_at_once(name: str) -> None:
    began_s = time.process_time()
    with pytest.raises(S3Error, match="MalformedXML"):
        parse(BAD[name], "a")
    assert time.process_time() - began_s < 2


def test_text_between_many_elements_costs_no_more_than_its_length() -> None:
    began_s = time.process_time()
    found = parse(b"<a>" + (b"t" * 100 + b"<b/>") * 49_000 + b"</a>", "a")
    assert (len(found.text), len(found.children)) == (100 * 49_000, 49_000)
    assert time.process_time() - began_s < 2


def test_names_are_read_without_their_namespace() -> None:
    found = parse(b'<a xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><b> 1 </b><b>2</b><c/></a>', "a")
    assert [child.text for child in found.all("b")] == [" 1 ", "2"]
    assert found.value("c") == ""
    assert found.value("d") is None
    with pytest.raises(S3Error, match="MalformedXML"):
        found.one("b")
    with pytest.raises(S3Error, match="MalformedXML"):
        found.need("c")
    with pytest.raises(S3Error, match="MalformedXML"):
        found.only("b")
    with pytest.raises(S3Error, match="NotImplemented"):
        found.refuse("c")


@given(text=st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")))
def test_every_text_that_xml_can_carry_comes_back(text: str) -> None:
    found = parse(document("a", node("b", leaf("c", text))), "a")
    (inner,) = found.all("b")
    (read,) = inner.all("c")
    assert read.text == text


def test_what_xml_cannot_carry_is_written_as_amazon_does() -> None:
    assert leaf("Key", "a\x01\r\ufffe") == "<Key>a&#x1;&#xd;&#xfffe;</Key>"
