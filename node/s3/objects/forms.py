"""POST uploads from a browser's form: PutObject, with what would be headers in the form's fields.

Whoever signed the policy in the form is who uploads; a form without one is anonymous, and needs a bucket whose policy
lets everybody write.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from urllib.parse import urlencode

from node.s3.asking.request import Request, Target, header_text
from node.s3.asking.tags import TAGS_MAX, read_tagging
from node.s3.asking.targets import url_of
from node.s3.asking.wire import Headers
from node.s3.calls.call import Answer, Call
from node.s3.objects.form_data import Form
from node.s3.objects.writing import put_headers, store, terms_of
from node.s3.signing import claims, sigv4
from node.s3.signing.bodies import Upload
from node.s3.signing.post_policies import PostPolicy, parse_post_policy
from node.s3.signing.promises import promised
from node.s3.signing.sigv4 import SigningKeys
from node.s3.texts import faults
from node.s3.texts.faults import S3Error
from node.s3.texts.names import require_key
from node.s3.texts.times import parse_signed_date
from node.s3.texts.xml_in import parse
from node.s3.texts.xml_out import bare_document, leaf
from node.vault.objects import ObjectStat
from node.vault.shelf.terms import Finish

_AS_HEADERS = ("content-type", "cache-control", "content-disposition", "content-encoding", "expires", "content-md5")
ANY_SIZE = PostPolicy(0, (), ())


def request_of(request: Request, form: Form) -> Request:
    """The PUT that the form stands for.

    Raises:
        S3Error: InvalidArgument when it names no key.
    """
    fields = form.fields
    key = fields.get("key", "").replace("${filename}", form.filename)
    if not key or "\0" in key:
        raise S3Error(faults.INVALID_ARGUMENT, "Bucket POST must contain a field named 'key'.")
    require_key(key)
    told = {name: text for name, text in fields.items() if name in _AS_HEADERS or name.startswith("x-amz-")}
    if "acl" in fields:
        told["x-amz-acl"] = fields["acl"]
    if "tagging" in fields:
        told["x-amz-tagging"] = _tags(fields["tagging"])
    if any(not text.isprintable() for text in told.values()):
        raise S3Error(faults.MALFORMED_POST)
    headers = {name: header_text(name, text) for name, text in told.items()}
    for name in ("host", "origin"):
        if name in request.headers:
            headers[name] = request.headers[name]
    target = Target(request.target.bucket, key, request.target.namespace)
    return replace(request, headers=headers, query={}, query_pairs=(), target=target)


def signer(fields: Mapping[str, str]) -> str | None:
    """The id of the key that signed the form; None when nobody did. Raises S3Error."""
    if "policy" not in fields:
        return None
    if fields.get("x-amz-algorithm") != sigv4.ALGORITHM:
        raise faults.invalid(
            "x-amz-algorithm", fields.get("x-amz-algorithm", ""), "Only AWS4-HMAC-SHA256 is supported."
        )
    return claims.read_credential(fields.get("x-amz-credential", ""), fields.get("x-amz-date", "")[:8])[0]


def verified(fields: Mapping[str, str], secret: str, keys: SigningKeys, bucket: str, now_s: int) -> PostPolicy:
    """The policy, once its signature and its conditions hold.

    Raises:
        S3Error: SignatureDoesNotMatch, AccessDenied, InvalidPolicyDocument.
    """
    _key_id, scope = claims.read_credential(fields["x-amz-credential"], fields.get("x-amz-date", "")[:8])
    if parse_signed_date(fields.get("x-amz-date", "")) is None:
        raise faults.invalid("x-amz-date", fields.get("x-amz-date", ""))
    expected = hmac.digest(keys.derive(secret, scope), fields["policy"].encode(), "sha256").hex()
    if not sigv4.same(fields.get("x-amz-signature", ""), expected):
        raise S3Error(faults.SIGNATURE_MISMATCH)
    policy = parse_post_policy(fields["policy"])
    policy.check({**fields, "bucket": bucket}, now_s)
    return policy


async def post_object(call: Call, form: Form, policy: PostPolicy) -> Answer:
    """PostObject, once it is known who may upload what."""
    info = call.info()
    source = Upload(form, call.host.threads, promised(call.request, None), None)
    found = await store(call, source, terms_of(call, finish=_sized(call, source, policy)), None)
    return _answer(call, form.fields, found, await put_headers(call, info, found))


def _tags(text: str) -> str:
    """The tags in XML, as the header that asks for the same right would have them."""
    return urlencode([(tag.name, tag.value) for tag in read_tagging(parse(text.encode(), "Tagging"), TAGS_MAX)])


def _sized(call: Call, source: Upload, policy: PostPolicy) -> Callable[[], Awaitable[Finish]]:
    async def finish() -> Finish:
        policy.check_size(source.received)
        return await call.finish(source)

    return finish


def _answer(call: Call, fields: Mapping[str, str], found: ObjectStat, headers: Headers) -> Answer:
    location = url_of(call.request, call.settings)
    where = fields.get("success_action_redirect") or fields.get("redirect")
    if where and where.startswith(("http://", "https://")) and where.isprintable():
        told = urlencode({"bucket": call.bucket, "key": call.key, "etag": f'"{found.etag}"'})
        mark = "&" if "?" in where else "?"
        return Answer(303, (*headers, ("location", f"{where}{mark}{told}")))
    status = fields.get("success_action_status", "204")
    if status != "201":
        return Answer(200 if status == "200" else 204, (*headers, ("location", location)))
    body = bare_document(
        "PostResponse",
        leaf("Location", location),
        leaf("Bucket", call.bucket),
        leaf("Key", call.key),
        leaf("ETag", f'"{found.etag}"'),
    )
    return Answer(201, (*headers, ("location", location), ("content-type", "application/xml")), body)
