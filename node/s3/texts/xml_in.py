"""XML that a client sent, read within bounds.

Requests of S3 are small trees of elements with text. Expat reads them, and whatever could make few bytes mean many,
or reach outside of them, is refused at its first sign: document types, entities, processing instructions, depth,
number of elements, long namespaces. What comes out has no namespaces and no attributes but `xsi:type`, which is all
that S3 uses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from node.s3.texts import faults
from node.s3.texts.faults import S3Error

DEPTH_MAX = 16
ELEMENTS_MAX = 50_000
NAMESPACE_LETTERS_MAX = 256  # expat writes it before each name
_TYPE = "http://www.w3.org/2001/XMLSchema-instance|type"


@dataclass(slots=True)
class Element:
    """One element: its local name, the text directly in it, and what is nested."""

    name: str
    text: str = ""
    kind: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, name: str) -> Iterator[Element]:
        """The children of that name."""
        return (child for child in self.children if child.name == name)

    def one(self, name: str) -> Element | None:
        """The only child of that name, or None. Raises S3Error(MalformedXML) for two."""
        found = list(self.all(name))
        if len(found) > 1:
            raise malformed()
        return found[0] if found else None

    def value(self, name: str) -> str | None:
        """The text of the only child of that name, or None."""
        found = self.one(name)
        return None if found is None else found.text.strip()

    def need(self, name: str) -> str:
        """The text of that child. Raises S3Error(MalformedXML) when it is absent or empty."""
        found = self.value(name)
        if not found:
            raise malformed()
        return found

    def only(self, *names: str) -> None:
        """Raises S3Error(MalformedXML) for a child of any other name."""
        if any(child.name not in names for child in self.children):
            raise malformed()

    def refuse(self, *names: str) -> None:
        """Raises S3Error(NotImplemented) for a child of these names: known to S3, and not served here."""
        for child in self.children:
            if child.name in names:
                raise faults.not_served(f"{self.name}/{child.name}")


def malformed() -> S3Error:
    """The one answer to XML that is not as it should be."""
    return S3Error(faults.MALFORMED_XML)


def parse(data: bytes, root: str) -> Element:
    """The tree, whose outermost element must be `root`.

    Raises:
        S3Error: MalformedXML.
    """
    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator="|")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.StartNamespaceDeclHandler = _namespace
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.ProcessingInstructionHandler = _refuse
    parser.ExternalEntityRefHandler = _refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError):
        raise malformed() from None
    if builder.root is None or builder.root.name != root:
        raise malformed()
    return builder.root


def _namespace(_prefix: str | None, name: str | None) -> None:
    if name is not None and len(name) > NAMESPACE_LETTERS_MAX:
        raise malformed()


def _refuse(*_arguments: object) -> int:
    raise malformed()


class _Builder:
    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._texts: list[list[str]] = []  # of the open elements, in pieces: each child ends one
        self._elements = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if len(self._open) >= DEPTH_MAX or self._elements > ELEMENTS_MAX:
            raise malformed()
        element = Element(name.rpartition("|")[2], kind=attributes.get(_TYPE, ""))
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._texts.append([])

    def end(self, _name: str) -> None:
        self._open.pop().text = "".join(self._texts.pop())

    def text(self, data: str) -> None:
        if self._texts:
            self._texts[-1].append(data)
