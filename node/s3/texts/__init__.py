"""How S3 writes things: names, numbers, times, version ids, checksums, XML, and the words in which it says no.

Nothing here knows of a request.
"""
