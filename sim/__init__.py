"""So far only `sim.host`, the small deterministic host on which tests run whole nodes; the simulator is to come."""
