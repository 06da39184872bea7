"""What a node does for others unasked, so that what it holds outlives those who hold it with it."""
