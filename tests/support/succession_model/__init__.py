"""A model of one epoch's end, and the search through everything that can happen in it."""
