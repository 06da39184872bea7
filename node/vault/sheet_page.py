"""Recovery sheets as a page for the printer: HTML that needs nothing else, one paper on each A4 page.

The page asks for no font, picture or script from anywhere, so it can be opened on a machine without a network, and
leaves nothing behind but what the browser's own history keeps. The QR code is drawn inside the page and says the
same as the words beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

import segno

from node.text import _
from node.vault.sheet import Paper, Split, heading, qr_text, warning
from protocol.ids import text_of

_QUIET_ZONE: Final = 4
_STYLE: Final = """
@page { size: A4; margin: 18mm }
body { font: 11pt/1.4 serif; color: #000; background: #fff; margin: 0 auto; max-width: 174mm }
section { break-after: page; break-inside: avoid } section:last-child { break-after: auto }
h1 { font-size: 16pt; margin: 0 0 4mm } p { margin: 0 0 3mm } .warning { font-weight: bold }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 1mm 5mm; margin: 0 0 5mm }
dt { font-weight: bold } dd { margin: 0; font-family: monospace; overflow-wrap: anywhere }
ol { columns: 3; font: 13pt/1.7 monospace; border: 1px solid #000; margin: 0 0 5mm; padding: 4mm 4mm 4mm 16mm }
svg { width: 62mm; height: 62mm } .code { display: flex; gap: 6mm; align-items: center }
"""


def sheet_page(papers: Sequence[Paper], split: Split, language: str) -> str:
    """The whole HTML document; `language` is that of its sentences."""
    sections = [_section(paper, number, split) for number, paper in enumerate(papers, start=1)]
    title = escape(heading(papers[0], 1, Split(1, 1)))
    return "\n".join(
        [
            "<!DOCTYPE html>",
            f'<html lang="{escape(language, quote=True)}"><head><meta charset="utf-8"><title>{title}</title>',
            f"<style>{_STYLE}</style></head><body>",
            *sections,
            "</body></html>",
            "",
        ]
    )


def _section(paper: Paper, number: int, split: Split) -> str:
    facts = [
        (_("Namespace"), paper.name),
        (_("Class of its data"), paper.data_class),
        (_("Federation"), text_of(paper.federation)),
        *((_("Ask at"), address) for address in paper.addresses),
    ]
    told = "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in facts)
    words = "".join(f"<li>{escape(word)}</li>" for word in paper.words)
    use = _("On an empty machine: {command}. Type this sheet, or what a phone reads in the code.")
    return "\n".join(
        [
            "<section>",
            f"<h1>{escape(heading(paper, number, split))}</h1>",
            f'<p class="warning">{escape(warning(split))}</p>',
            f"<dl>{told}</dl>",
            f"<ol>{words}</ol>",
            f'<div class="code">{_code(qr_text(paper))}<p>{_use(use)}</p></div>',
            "</section>",
        ]
    )


def _use(sentence: str) -> str:
    return escape(sentence).format(command="<code>maillon --dir DIR namespace recover</code>")


def _code(text: str) -> str:
    """The QR code as an SVG element. Level M: a fold or a coffee stain may hide a seventh of it."""
    return segno.make_qr(text, error="m", boost_error=False).svg_inline(border=_QUIET_ZONE, omitsize=True)
