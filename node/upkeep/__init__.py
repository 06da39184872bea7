"""Upkeep: scrub, audit, repair, release and evacuation, when a node tends to what it holds.

Nothing is here yet; blocks that were written with shares missing are completed by `node.vault.complete`.
"""
