"""Scenarios: what is simulated, as a TOML file says it."""
