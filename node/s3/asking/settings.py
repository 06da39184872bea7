"""What the S3 door may be told by the node's configuration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class S3Settings:
    """`domains`: host names under which a bucket may be the first label (`BUCKET.s3.example.org`); path style always
    works. `website_domains`: the same for static websites, which are also served under a host that is a bucket's
    name. `region` is what clients are told; they may sign for any. `is_https`: they come by HTTPS, even
    where that ends at a proxy.
    """

    region: str = "us-east-1"
    domains: tuple[str, ...] = ()
    website_domains: tuple[str, ...] = ()
    is_https: bool = False
