"""Releasing blocks that nothing refers to any more, until every holder has let go of them."""
