"""The rules: wire formats, records, gossip, governance, placement, coding, journals. Pure.

Nothing here does I/O, looks at a clock or draws a random number: time and entropy are arguments, and what is to be
done comes back as values. So every rule can be tested with plain asserts and replayed by a simulator.
"""
