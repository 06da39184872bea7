"""`python -m tests.sim.mistakes [NAME…]`: a table of mistakes, what broke, and how many seeds and CPU s that took."""

from __future__ import annotations

import sys

from tests.sim.mistakes.hunting import MISTAKES, hunt


def main(names: list[str]) -> int:
    chosen = [mistake for mistake in MISTAKES if not names or mistake.name in names]
    missed = 0
    print("| mistake | scenario | what broke | seeds | CPU s |")
    print("| --- | --- | --- | --- | --- |")
    for mistake in chosen:
        ended = hunt(mistake)
        law = ended.found[0].law if ended.found else "nothing"
        seeds = ended.seed or f"over {mistake.seeds}"
        missed += ended.seed is None
        print(f"| {mistake.told} | {mistake.scene} | {law} | {seeds} | {ended.cpu_s:.1f} |", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
