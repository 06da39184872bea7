"""What all tests share: laws are tried without a clock, as a busy machine is no counterexample.

`make test` tries the same examples each time, so that what it says of a change is about the change. New examples are
for `make chaos`, which looks for what nobody thought of.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

# Tests read the program's words in English, whatever the language of the machine.
os.environ["LANGUAGE"] = "en"

_LAWS = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", _LAWS, derandomize=True)
settings.register_profile("new", _LAWS)
settings.load_profile("same")


@pytest.fixture(autouse=True)
def _fresh_logging() -> Iterator[None]:
    """A command sets logging up for its process; here that process goes on with other tests."""
    yield
    structlog.reset_defaults()
