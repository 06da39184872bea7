"""The words of click itself, in the reader's language.

click asks gettext's default domain for them, which is made ours here; those that a user of our commands may see are
marked for the catalogue. They are click's to change: one that it words anew is shown in English.
"""

from __future__ import annotations

import gettext

import click

from node.text import DOMAIN, LOCALE_DIR, N_, _, ngettext

WORDS = (
    N_("Usage:"),
    N_("Options"),
    N_("Show this message and exit."),
    N_("default: {default}"),
    N_("required"),
    N_("Error: {message}"),
    N_("Aborted!"),
    N_("Try '{command} {option}' for help."),
    N_("Invalid value: {message}"),
    N_("Invalid value for {param_hint}: {message}"),
    N_("Missing argument"),
    N_("Missing option"),
    N_("Missing parameter"),
    N_("Missing command."),
    N_("No such option {name!r}."),
    N_("No such command {name!r}."),
    N_("Option {name!r} requires an argument."),
    N_("Option {name!r} does not take a value."),
    N_("{value!r} is not a valid {number_type}."),
    N_("{value} is not in the range {range}."),
    N_("{name} {filename!r} does not exist."),
    N_("{name} {filename!r} is a file."),
    N_("{name} {filename!r} is a directory."),
    N_("file"),
    N_("directory"),
    N_("path"),
)
PLURALS = (ngettext("Got unexpected extra argument ({args})", "Got unexpected extra arguments ({args})", 2),)


class Formatter(click.HelpFormatter):
    """click's, with the colon after a heading as the reader's language has it."""

    def write_heading(self, heading: str) -> None:
        self.write(" " * self.current_indent + _("{heading}:").format(heading=heading) + "\n")


def speak_our_language() -> None:
    """Have click find its words in our catalogue."""
    click.Context.formatter_class = Formatter
    gettext.bindtextdomain(DOMAIN, str(LOCALE_DIR))
    gettext.textdomain(DOMAIN)
