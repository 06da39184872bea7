"""A tenant's namespace: the root that everything derives from, and the signed journal of its changes."""
