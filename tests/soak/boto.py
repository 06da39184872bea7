"""The AWS SDK for Python as a client of the soak: its own retries, checksums and transfers, in threads.

A body that breaks off while it is read is asked for again, as the SDK's own transfers do; `get_object` alone leaves
that to its caller.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import boto3
import trio
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.soak.asking import (
    ATTEMPTS,
    BUCKET,
    CONDITION_FAILED,
    MISSING,
    OK,
    READ_TIMEOUT_S,
    Found,
    Listed,
    Tally,
    Unabsorbed,
)
from tests.support.s3_client import Account

PART_BYTES = 5 * 2**20
_READS = 5


class BotoStore:
    """A `Store`."""

    def __init__(self, account: Account, tally: Tally) -> None:
        self._tally = tally
        self._s3: Any = boto3.session.Session().client(
            "s3",
            endpoint_url=account.endpoint,
            region_name=account.region,
            aws_access_key_id=account.access_key,
            aws_secret_access_key=account.secret_key,
            config=Config(retries={"mode": "standard", "total_max_attempts": ATTEMPTS}, read_timeout=READ_TIMEOUT_S),
        )

    async def put(self, key: str, data: bytes, *, if_match: str = "", if_none_match: bool = False) -> Found:
        terms = {"IfMatch": if_match} if if_match else {"IfNoneMatch": "*"} if if_none_match else {}
        return await self._ask(lambda: self._s3.put_object(Bucket=BUCKET, Key=key, Body=data, **terms))

    async def get(self, key: str, part: tuple[int, int] | None = None) -> Found:
        terms = {} if part is None else {"Range": f"bytes={part[0]}-{part[1] - 1}"}

        def whole() -> Any:
            for _ in range(_READS - 1):
                try:
                    return self._read(key, terms)
                except BotoCoreError as error:
                    self._tally.causes[type(error).__name__] += 1
            return self._read(key, terms)

        return await self._ask(whole)

    def _read(self, key: str, terms: dict[str, str]) -> Any:
        answer = self._s3.get_object(Bucket=BUCKET, Key=key, **terms)
        return {**answer, "Body": answer["Body"].read()}

    async def head(self, key: str) -> Found:
        return await self._ask(lambda: self._s3.head_object(Bucket=BUCKET, Key=key))

    async def delete(self, key: str) -> None:
        await self._ask(lambda: self._s3.delete_object(Bucket=BUCKET, Key=key))

    async def copy(self, source: str, key: str) -> Found:
        from_there = {"Bucket": BUCKET, "Key": source}
        found = await self._ask(lambda: self._s3.copy_object(Bucket=BUCKET, Key=key, CopySource=from_there))
        return found if found.status != OK else await self.head(key)

    async def upload(self, key: str, parts: list[bytes]) -> Found:
        data = io.BytesIO(b"".join(parts))
        terms = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, max_concurrency=2)
        await self._ask(lambda: self._s3.upload_fileobj(data, BUCKET, key, Config=terms) or {})
        return await self.head(key)

    async def list(self, prefix: str) -> list[Listed]:
        pages = self._s3.get_paginator("list_objects_v2")

        def entries() -> list[Listed]:
            found = pages.paginate(Bucket=BUCKET, Prefix=prefix, PaginationConfig={"PageSize": 10})
            return [
                Listed(one["Key"], one["ETag"].strip('"'), one["Size"])
                for page in found
                for one in page.get("Contents", ())
            ]

        return await self._in_thread(entries)

    async def _ask(self, call: Callable[[], Any]) -> Found:
        try:
            answer = await self._in_thread(call)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status not in (MISSING, CONDITION_FAILED):
                raise Unabsorbed(repr(error)) from error
            return Found(status, attempts=1 + error.response["ResponseMetadata"].get("RetryAttempts", 0))
        attempts = 1 + answer.get("ResponseMetadata", {}).get("RetryAttempts", 0)
        self._tally.attempts[attempts] += 1
        if attempts > 1:
            self._tally.causes["inside boto3"] += attempts - 1
        etag, size = answer.get("ETag", "").strip('"'), answer.get("ContentLength", 0)
        return Found(OK, etag, answer.get("Body", b""), size, attempts)

    async def _in_thread(self, call: Callable[[], Any]) -> Any:
        try:
            return await trio.to_thread.run_sync(call)
        except ClientError:
            raise
        except (BotoCoreError, OSError) as error:
            raise Unabsorbed(repr(error)) from error
