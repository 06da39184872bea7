"""Doors for programs, seen from inside the organisation: any gateway answers for any namespace of the organisation.

`passing` finds the gateway that a request is for and hands it over; `passed` serves what others hand over.
"""
