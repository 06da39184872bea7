"""What is asked of objects: writing, reading, copying, listing and locking them; whole, in parts, or from a form."""
