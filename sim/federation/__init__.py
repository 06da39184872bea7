"""A federation of real nodes in the world: who they are, how they were founded, how they live and die."""
