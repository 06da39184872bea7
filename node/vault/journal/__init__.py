"""The writing side of a namespace's journal: queue, own copy, holders, replay."""
