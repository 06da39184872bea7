"""A namespace as S3 sees it: buckets, objects and their versions, uploads in parts, and access keys."""
