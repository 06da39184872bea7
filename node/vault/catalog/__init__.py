"""A namespace's index on the gateway: a cache of its journal."""
