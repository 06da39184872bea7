"""Who may do what, and whose bucket is meant.

A key's own limits, bucket policies and canned ACLs meet in `access`.
"""
