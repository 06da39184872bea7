"""A call, and what handlers need beside it: the shelves, a bucket's documents and owner, how failures are told."""
