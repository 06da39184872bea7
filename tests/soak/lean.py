"""A lean client with an SDK's manners: one connection, opened again when it breaks, and an SDK's retries."""

from __future__ import annotations

import random
import xml.etree.ElementTree as Xml

import trio

from tests.soak.asking import (
    ATTEMPTS,
    BUCKET,
    CONDITION_FAILED,
    MISSING,
    OK,
    PARTIAL,
    READ_TIMEOUT_S,
    WAIT_S_MAX,
    Found,
    Listed,
    Tally,
    Unabsorbed,
)
from tests.support.s3_client import Account, Answer, S3Connection, connect

_S3 = "{http://s3.amazonaws.com/doc/2006-03-01/}"
_FINE = frozenset({OK, 204, PARTIAL, MISSING, CONDITION_FAILED})
_AGAIN = frozenset({429, 500, 502, 503, 504})
_BROKEN = (OSError, trio.TooSlowError, trio.BrokenResourceError)


class LeanStore:
    """A `Store`."""

    def __init__(self, account: Account, tally: Tally, chance: random.Random) -> None:
        self._account = account
        self._tally = tally
        self._chance = chance
        self._connection: S3Connection | None = None

    async def put(self, key: str, data: bytes, *, if_match: str = "", if_none_match: bool = False) -> Found:
        headers = {"if-match": f'"{if_match}"'} if if_match else {"if-none-match": "*"} if if_none_match else {}
        return await self._ask("PUT", key, body=data, headers=headers)

    async def get(self, key: str, part: tuple[int, int] | None = None) -> Found:
        headers = {} if part is None else {"range": f"bytes={part[0]}-{part[1] - 1}"}
        return await self._ask("GET", key, headers=headers)

    async def head(self, key: str) -> Found:
        return await self._ask("HEAD", key)

    async def delete(self, key: str) -> None:
        await self._ask("DELETE", key)

    async def copy(self, source: str, key: str) -> Found:
        found = await self._ask("PUT", key, headers={"x-amz-copy-source": f"/{BUCKET}/{source}"})
        return Found(found.status, _text(found.body, "ETag").strip('"')) if found.status == OK else found

    async def upload(self, key: str, parts: list[bytes]) -> Found:
        begun = await self._ask("POST", key, {"uploads": ""})
        upload, etags = _text(begun.body, "UploadId"), []
        for number, part in enumerate(parts, start=1):
            put = await self._ask("PUT", key, {"partNumber": str(number), "uploadId": upload}, body=part)
            if put.status != OK:
                raise Unabsorbed(f"part {number} of {key}: {put}")
            etags.append(put.etag)
        listed = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
            for number, etag in enumerate(etags, start=1)
        )
        whole = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        done = await self._ask("POST", key, {"uploadId": upload}, body=whole)
        if done.status != OK:
            raise Unabsorbed(f"completing {key}, attempt {done.attempts}: {done.status} {done.body!r}")
        return Found(OK, _text(done.body, "ETag").strip('"'))

    async def list(self, prefix: str) -> list[Listed]:
        found: list[Listed] = []
        query = {"list-type": "2", "prefix": prefix, "max-keys": "10"}
        while True:
            page = Xml.fromstring((await self._ask("GET", "", query)).body)  # noqa: S314 (our own server's)
            for entry in page.iter(f"{_S3}Contents"):
                key, etag, size = (entry.findtext(f"{_S3}{name}", "") for name in ("Key", "ETag", "Size"))
                found.append(Listed(key, etag.strip('"'), int(size)))
            token = page.findtext(f"{_S3}NextContinuationToken")
            if token is None:
                return found
            query["continuation-token"] = token

    async def _ask(
        self,
        method: str,
        key: str,
        query: dict[str, str] | None = None,
        *,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> Found:
        path, why = f"/{BUCKET}/{key}" if key else f"/{BUCKET}", ""
        for attempt in range(1, ATTEMPTS + 1):
            if attempt > 1:
                self._tally.causes[why] += 1
                await trio.sleep(min(WAIT_S_MAX, self._chance.random() * 2 ** (attempt - 2)))
            try:
                answer = await self._once(method, path, query, body, headers or {})
            except _BROKEN as error:
                await self._hang_up()
                why = type(error).__name__
                continue
            if answer.status not in _AGAIN:
                break
            why = f"{answer.status} {_text(answer.body, 'Code', '')}: {_text(answer.body, 'Message', '')[:60]}"
        else:
            raise Unabsorbed(f"{method} {key} {query or ''}: {why}")
        self._tally.attempts[attempt] += 1
        if answer.status not in _FINE:
            raise Unabsorbed(f"{method} {key} {query or ''}: {answer.status} {answer.body!r}")
        etag = answer.headers.get("etag", "").strip('"')
        return Found(answer.status, etag, answer.body, int(answer.headers.get("content-length", 0)), attempt)

    async def _once(
        self, method: str, path: str, query: dict[str, str] | None, body: bytes, headers: dict[str, str]
    ) -> Answer:
        with trio.fail_after(READ_TIMEOUT_S):
            if self._connection is None:
                self._connection = await connect(self._account)
            answer = await self._connection.ask(method, path, query, body=body, headers=headers)
            if answer.headers.get("connection", "").lower() == "close":
                await self._hang_up()
            return answer

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with trio.CancelScope() as scope:
                scope.cancel()  # not politely: it is broken, or about to be
                await connection.aclose()


def _text(document: bytes, name: str, namespace: str = _S3) -> str:
    """The text of an element of an answer; empty where there is none."""
    try:
        return Xml.fromstring(document).findtext(f".//{namespace}{name}") or ""  # noqa: S314 (our own server's)
    except Xml.ParseError:
        return ""
