"""The erasure code: any k of n shares give the data back.

zfec defines the code: a systematic Reed-Solomon code over GF(2⁸) modulo x⁸+x⁴+x³+x²+1, from a Vandermonde matrix
made systematic. `generator_rows` is that matrix, asked of zfec itself by coding unit vectors, and every other
engine multiplies by it: an `Engine` is only faster arithmetic, its bytes are zfec's (codec number `ZFEC`). The
first k shares are the data itself; k=1 is plain replication.

`rebuild_rows` gets the matrix of a rebuild the same way, from zfec rebuilding unit vectors, so that no second
implementation has to invert matrices and agree.

Source: Rizzo, "Effective Erasure Codes for Reliable Computer Communication Protocols", 1997; zfec.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Protocol

import zfec

from protocol.limits import SHARES_MAX

Buffer = bytes | bytearray | memoryview

ZFEC: Final = 1
Rows = tuple[bytes, ...]


class Engine(Protocol):
    """Somebody who does the arithmetic.

    All buffers of one call have the same size. Calls block, and may come from several threads at once.
    """

    @property
    def name(self) -> str:
        """What `maillon status` shows."""

    def encode(self, k: int, n: int, data: Sequence[Buffer], parity: Sequence[memoryview]) -> None:
        """Fill `parity` (shares k … n-1) from `data` (shares 0 … k-1)."""

    def rebuild(
        self, k: int, n: int, present: Sequence[tuple[int, Buffer]], wanted: Sequence[tuple[int, memoryview]]
    ) -> None:
        """Fill the `wanted` shares from exactly k `present` ones, all given with their index."""


class ZfecEngine:
    """zfec doing its own arithmetic: always there, and the reference for all others."""

    @property
    def name(self) -> str:
        return "zfec"

    def encode(self, k: int, n: int, data: Sequence[Buffer], parity: Sequence[memoryview]) -> None:
        check_encode(k, n, data, parity)
        if n > k:
            made = _encoder(k, n).encode(tuple(data), tuple(range(k, n)))
            for target, share in zip(parity, made, strict=True):
                target[:] = share

    def rebuild(
        self, k: int, n: int, present: Sequence[tuple[int, Buffer]], wanted: Sequence[tuple[int, memoryview]]
    ) -> None:
        check_rebuild(k, n, present, wanted)
        if not wanted:
            return
        data = _decoder(k, n).decode(tuple(share for _, share in present), tuple(index for index, _ in present))
        made = _encoder(k, n).encode(tuple(data), tuple(index for index, _ in wanted))
        for (_, target), share in zip(wanted, made, strict=True):
            target[:] = share


@lru_cache(maxsize=64)
def generator_rows(k: int, n: int) -> Rows:
    """zfec's matrix: row i holds the k coefficients that make share i; the first k rows are the identity."""
    check_code(k, n)
    return (*_identity(k), *map(bytes, _encoder(k, n).encode(_identity(k), tuple(range(k, n)))))


@lru_cache(maxsize=1_024)
def rebuild_rows(k: int, n: int, present: tuple[int, ...], wanted: tuple[int, ...]) -> Rows:
    """For each wanted share, the k coefficients over the present shares, in the order of `present`."""
    rows = [bytearray(k) for _ in wanted]
    ZfecEngine().rebuild(
        k,
        n,
        list(zip(present, _identity(k), strict=True)),
        [(index, memoryview(row)) for index, row in zip(wanted, rows, strict=True)],
    )
    return tuple(bytes(row) for row in rows)


def check_code(k: int, n: int) -> None:
    """Raise ValueError unless 1 ≤ k ≤ n ≤ SHARES_MAX: whoever decodes a header has refused others already."""
    if not 1 <= k <= n <= SHARES_MAX:
        raise ValueError("a code needs 1 <= k <= n <= SHARES_MAX")


def check_encode(k: int, n: int, data: Sequence[Buffer], parity: Sequence[memoryview]) -> None:
    """Raise ValueError for arguments of `Engine.encode` that do not fit together."""
    check_code(k, n)
    if len(data) != k or len(parity) != n - k:
        raise ValueError("encoding takes k shares of data and n - k of parity")
    _check_sizes([*data, *parity])


def check_rebuild(
    k: int, n: int, present: Sequence[tuple[int, Buffer]], wanted: Sequence[tuple[int, memoryview]]
) -> None:
    """Raise ValueError for arguments of `Engine.rebuild` that do not fit together."""
    check_code(k, n)
    indexes = [index for index, _ in present]
    if len(indexes) != k or len(set(indexes)) != k:
        raise ValueError("a rebuild takes exactly k different shares")
    if not all(0 <= index < n for index in (*indexes, *(index for index, _ in wanted))):
        raise ValueError("a share's index lies between 0 and n - 1")
    _check_sizes([share for _, share in (*present, *wanted)])


def _check_sizes(buffers: list[Buffer]) -> None:
    # Engines write through bare addresses: a wrong size here would be a wrong byte elsewhere.
    if len({memoryview(buffer).nbytes for buffer in buffers}) > 1:
        raise ValueError("all shares of a block have the same size")


def _identity(k: int) -> Rows:
    return tuple(bytes(int(column == row) for column in range(k)) for row in range(k))


@lru_cache(maxsize=64)
def _encoder(k: int, n: int) -> zfec.Encoder:
    return zfec.Encoder(k, n)


@lru_cache(maxsize=64)
def _decoder(k: int, n: int) -> zfec.Decoder:
    return zfec.Decoder(k, n)
