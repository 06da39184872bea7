"""What can go wrong: the kinds of fault, lists of them, drawing them from a seed, and doing them to a world."""
