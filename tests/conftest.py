"""What all tests share: laws are tried without a clock, as a busy machine is no counterexample."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Tests read the program's words in English, whatever the language of the machine.
os.environ["LANGUAGE"] = "en"

settings.register_profile("maillon", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("maillon")
