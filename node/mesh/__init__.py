"""The node's place among the members: who is there, what they said, how to ask one of them, what they ask of us."""
