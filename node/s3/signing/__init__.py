"""What proves a request: signatures of its head and of its body's pieces, what is promised about the body.

The policies that are signed for browser forms are here too.
"""
