"""`python -m node`: the `maillon` program, for where its script is not on the PATH."""

from __future__ import annotations

from node.cli import main

main()
