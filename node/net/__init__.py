"""Connections to proven peers: who is at the other end, and many exchanges at once over one stream.

`identity` proves both ends, `connection` carries requests both ways, `bulk` moves sealed bytes beside TLS.
"""
