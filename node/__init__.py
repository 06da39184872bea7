"""A member's server on trio: from the ground up `host`, `net` and `store`, `mesh`, `vault`, `admin`, `app`, `cli`.

It meets the world only through `host`, and decides nothing that a rule of `protocol` could decide.
"""
