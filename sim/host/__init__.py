"""The deterministic host: `world.World` and what it is made of."""
