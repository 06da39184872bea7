"""`maillon sim`: the simulator's commands, one file for each. The node's program finds them by an entry point."""
