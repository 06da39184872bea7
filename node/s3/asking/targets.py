"""What a request is about: bucket and key, from the path or from the host name. Pure.

Path style, `/BUCKET/KEY`, always works. Where the host is `BUCKET.DOMAIN` of a configured domain, the path is the
key. A bucket of another namespace than the asking key's can be named `NAMESPACE:BUCKET`.
"""

from __future__ import annotations

from node.s3.asking.request import Request, Target
from node.s3.asking.settings import S3Settings
from node.s3.texts.names import decoded, encoded_key, fits_bucket, require_key


def target_of(request: Request, settings: S3Settings) -> Target:
    """Bucket and key.

    Raises:
        S3Error: InvalidURI, KeyTooLongError.
    """
    path = decoded(request.raw_path).removeprefix("/")
    bucket = bucket_in_host(request, settings.domains)
    if bucket is None:
        bucket, _slash, key = path.partition("/")
    else:
        key = path
    require_key(key)
    return named_bucket(bucket, key)


def asked_bucket(request: Request, settings: S3Settings) -> str:
    """The bucket that a request without a key is about: a website's, by its host, or that of the target. Empty where
    no bucket can be called so.

    Raises:
        S3Error: as `target_of`.
    """
    site = bucket_in_host(request, settings.website_domains)
    bucket = target_of(request, settings).bucket if site is None else site
    return bucket if fits_bucket(bucket) else ""


def named_bucket(bucket: str, key: str) -> Target:
    """A key of a bucket that may be named with its namespace before it."""
    namespace, colon, name = bucket.rpartition(":")
    return Target(name, key, namespace if colon and namespace else None)


def url_of(request: Request, settings: S3Settings) -> str:
    """The URL of what the request is about, where its sender reached this gateway; a mere path if it did not say."""
    about, host = request.target, request.headers.get("host", "")
    in_host = bucket_in_host(request, settings.domains) is not None
    path = f"/{encoded_key(about.key if in_host else f'{about.named}/{about.key}')}"
    scheme = "https" if request.is_secure or settings.is_https else "http"
    return f"{scheme}://{host}{path}" if host else path


def bucket_in_host(request: Request, domains: tuple[str, ...]) -> str | None:
    """The bucket that the host names before one of the domains, or None."""
    if not domains:
        return None
    host = host_of(request)
    for domain in domains:
        if host.endswith(f".{domain}") and len(host) > len(domain) + 1:
            return host[: -len(domain) - 1]
    return None


def host_of(request: Request) -> str:
    """The host's name without its port."""
    host = request.headers.get("host", "").lower()
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host
