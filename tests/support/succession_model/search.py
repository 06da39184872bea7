"""The search: every state that can be reached, each once, nearest first; and walks at random far beyond."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass

from tests.support.succession_model.model import Model, State


@dataclass(frozen=True, slots=True)
class Found:
    """How many states were seen, and what was wrong in one of them with the steps that lead there."""

    states: int
    wrong: str | None
    steps: tuple[str, ...]


def explore(model: Model, *, states_most: int | None = None) -> Found:
    """Every state, until one is wrong or so many were seen."""
    start = model.start()
    seen: dict[State, tuple[State, str] | None] = {start: None}
    todo = deque([start])
    while todo and (states_most is None or len(seen) < states_most):
        state = todo.popleft()
        for said, after in model.steps(state):
            if after not in seen:
                seen[after] = (state, said)
                wrong = model.wrong(after)
                if wrong is not None:
                    return Found(len(seen), wrong, _steps_to(after, seen))
                todo.append(after)
    return Found(len(seen), None, ())


def _steps_to(state: State, seen: dict[State, tuple[State, str] | None]) -> tuple[str, ...]:
    steps = []
    while (before := seen[state]) is not None:
        state, said = before
        steps.append(said)
    return tuple(reversed(steps))


def walk(model: Model, *, seed: int, walks: int, steps_most: int) -> Found:
    """Walks from the beginning, at each state on by one of its steps at random."""
    chance = random.Random(seed)
    seen = 0
    for _ in range(walks):
        state, said = model.start(), []
        for _ in range(steps_most):
            steps = list(model.steps(state))
            if not steps:
                break
            step = chance.choice(steps)
            state = step.after
            said.append(step.said)
            seen += 1
            wrong = model.wrong(state)
            if wrong is not None:
                return Found(seen, wrong, tuple(said))
    return Found(seen, None, ())
