"""What is asked of buckets: making them, looking at them, and what is set on them.

Tags and ACLs of objects are served here too, by the modules that serve those of buckets.
"""
