"""zfec defines the code; its matrix is what every engine multiplies by."""

from __future__ import annotations

import random

import pytest
import zfec
from hypothesis import given
from hypothesis import strategies as st

from protocol.coding.erasure import ZfecEngine, generator_rows, rebuild_rows
from protocol.limits import SHARES_MAX
from tests.support.blocks import some_bytes
from tests.support.vectors import load_vectors

CODES = st.integers(1, SHARES_MAX).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n)))


def multiply(one: int, other: int) -> int:
    """In GF(2⁸) modulo x⁸+x⁴+x³+x²+1, bit by bit."""
    product = 0
    while other:
        if other & 1:
            product ^= one
        one = one << 1 ^ (0x11D if one & 0x80 else 0)
        other >>= 1
    return product


def combined(row: bytes, shares: list[bytes]) -> bytes:
    out = bytearray(len(shares[0]))
    for coefficient, share in zip(row, shares, strict=True):
        for position, byte in enumerate(share):
            out[position] ^= multiply(coefficient, byte)
    return bytes(out)


def coded(k: int, n: int, size: int) -> list[bytes]:
    data = [some_bytes(size, row) for row in range(k)]
    return [bytes(share) for share in zfec.Encoder(k, n).encode(tuple(data))]


@given(CODES, st.integers(1, 20))
def test_the_matrix_and_plain_field_arithmetic_give_zfecs_shares(code: tuple[int, int], size: int) -> None:
    k, n = code
    shares = coded(k, n, size)
    for row, share in zip(generator_rows(k, n), shares, strict=True):
        assert combined(row, shares[:k]) == share


@given(CODES, st.integers(1, 20), st.randoms(use_true_random=False))
def test_any_k_shares_rebuild_any_others(code: tuple[int, int], size: int, rng: random.Random) -> None:
    k, n = code
    shares = coded(k, n, size)
    present = rng.sample(range(n), k)
    wanted = rng.sample(range(n), rng.randint(0, n))
    out = [bytearray(size) for _ in wanted]
    ZfecEngine().rebuild(
        k,
        n,
        [(index, shares[index]) for index in present],
        [(index, memoryview(buffer)) for index, buffer in zip(wanted, out, strict=True)],
    )
    assert out == [shares[index] for index in wanted]
    rows = rebuild_rows(k, n, tuple(present), tuple(wanted))
    assert out == [combined(row, [shares[index] for index in present]) for row in rows]


def power(exponent: int) -> int:
    """Of the field's generator, 2."""
    out = 1
    for _ in range(exponent % 255):
        out = multiply(out, 2)
    return out


@pytest.mark.parametrize(("k", "n"), [(1, 3), (2, 4), (3, 6), (4, 7), (10, 14), (16, 24), (31, 32), (32, 32)])
def test_the_matrix_is_the_vandermonde_matrix_of_the_field_made_systematic(k: int, n: int) -> None:
    # G = V · V_top⁻¹ exactly when G · V_top = V: row 0 of V is (1, 0, …), row i the powers of αⁱ⁻¹.
    vandermonde = [bytes([1] + [0] * (k - 1))]
    vandermonde += [bytes(power((row - 1) * column) for column in range(k)) for row in range(1, n)]
    for row, expected in zip(generator_rows(k, n), vandermonde, strict=True):
        assert combined(row, vandermonde[:k]) == expected


def test_one_of_n_is_replication() -> None:
    assert generator_rows(1, 5) == (b"\x01",) * 5


def test_the_first_shares_are_the_data() -> None:
    assert generator_rows(3, 4)[:3] == (b"\x01\x00\x00", b"\x00\x01\x00", b"\x00\x00\x01")


@pytest.mark.parametrize(("k", "n"), [(0, 1), (2, 1), (1, SHARES_MAX + 1), (-1, 3)])
def test_a_code_out_of_bounds_is_a_programming_error(k: int, n: int) -> None:
    with pytest.raises(ValueError, match="1 <= k <= n"):
        generator_rows(k, n)


def test_arguments_that_do_not_fit_are_programming_errors() -> None:
    engine = ZfecEngine()
    two, three = memoryview(bytearray(2)), memoryview(bytearray(3))
    for data, parity in (([two], [two]), ([two, two], []), ([two, three], [two]), ([two, two], [three])):
        with pytest.raises(ValueError, match=r"takes k shares|same size"):
            engine.encode(2, 3, data, parity)
    for present in ([(0, two)], [(0, two), (0, two)], [(0, two), (3, two)], [(0, two), (1, three)]):
        with pytest.raises(ValueError, match=r"exactly k|lies between|same size"):
            engine.rebuild(2, 3, present, [(2, two)])
    with pytest.raises(ValueError, match="lies between"):
        engine.rebuild(2, 3, [(0, two), (1, two)], [(-1, two)])


@pytest.mark.parametrize(
    "vector", load_vectors("coding")["matrices"], ids=lambda vector: f"{vector['k']}-{vector['n']}"
)
def test_vectors(vector: dict[str, int | list[str]]) -> None:
    k, n = int(vector["k"]), int(vector["n"])  # type: ignore[arg-type]
    assert [row.hex() for row in generator_rows(k, n)[k:]] == vector["parity_rows"]
