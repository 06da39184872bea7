"""Deliberate faults: what a programmer could have got wrong, and what finds it in the world."""
