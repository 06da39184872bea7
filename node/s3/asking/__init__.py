"""What is asked: a request as it came in, what it is about, what it wants, and what its headers add to that."""
