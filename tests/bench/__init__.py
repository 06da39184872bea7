"""`make bench`: what a federation costs, in CPU that means the same on any machine."""
