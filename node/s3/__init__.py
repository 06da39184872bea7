"""The S3 door: an ASGI application over the vault's calls, so that programs that speak S3 need not know Maillon.

What is served and what is refused, operation by operation: docs/s3.md. Nothing is accepted and then ignored. Here are
only the entrances and the table of handlers; below them, from the ground up: `texts`, `asking`, `signing`, `calls`,
`rights`, `buckets`, `objects`.
"""
