"""A size as an option's value: "500 GB", "64MiB", "4096"."""

from __future__ import annotations

import click

from node.text import _
from node.text.quantities import parse_size


class SizeType(click.ParamType[int]):
    """Converts to bytes, and says how a size is written when it is not one."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return value if isinstance(value, int) else parse_size(str(value))
        except ValueError:
            self.fail(_("{value} is not a size; write for instance 500GB.").format(value=value), param, ctx)


SIZE_TYPE = SizeType()
