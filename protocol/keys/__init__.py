"""Keys and what is done with them: derive, sign, seal."""
