"""ISA-L makes zfec's shares bit for bit: for every k ≤ n ≤ 32, whatever the size and kind of buffer."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import node.engine
from node.engine import IsalEngine, agrees_with_zfec, find_engine, library_candidates
from protocol.coding.erasure import Buffer, Engine, ZfecEngine
from protocol.errors import Unavailable
from protocol.limits import SHARES_MAX
from tests.support.blocks import made_block, some_bytes

ZFEC = ZfecEngine()
EVERY_CODE = [(k, n) for n in range(1, SHARES_MAX + 1) for k in range(1, n + 1)]


@pytest.fixture(scope="module")
def isal() -> Engine:
    engine = find_engine("isal")  # pyeclib's wheel, a locked dependency, carries it
    assert engine.name == "isal"
    return engine


def coded(engine: Engine, k: int, n: int, data: Sequence[Buffer]) -> list[bytes]:
    size = memoryview(data[0]).nbytes
    parity = [bytearray(size) for _ in range(n - k)]
    engine.encode(k, n, data, [memoryview(share) for share in parity])
    return [bytes(share) for share in parity]


def rebuilt(engine: Engine, k: int, n: int, present: list[tuple[int, bytes]], wanted: list[int]) -> list[bytes]:
    out = [bytearray(len(present[0][1])) for _ in wanted]
    targets = [(index, memoryview(share)) for index, share in zip(wanted, out, strict=True)]
    engine.rebuild(k, n, present, targets)
    return [bytes(share) for share in out]


@pytest.mark.parametrize("size", [1, 67])
def test_shares_and_rebuilds_equal_zfecs_for_every_code(isal: Engine, size: int) -> None:
    rng = random.Random(size)
    for k, n in EVERY_CODE:
        data = [some_bytes(size, row) for row in range(k)]
        parity = coded(ZFEC, k, n, data)
        assert coded(isal, k, n, data) == parity, (k, n)
        shares = [*data, *parity]
        last_k = list(range(n - k, n))
        for indexes in (last_k, rng.sample(range(n), k)):
            present = [(index, shares[index]) for index in indexes]
            assert rebuilt(isal, k, n, present, list(range(n))) == shares, (k, n, indexes)


@given(st.sampled_from(EVERY_CODE), st.integers(0, 600) | st.sampled_from([4_096, 65_537]), st.integers(0, 2**32))
@settings(deadline=None)
def test_shares_equal_zfecs_for_any_size(isal: Engine, code: tuple[int, int], size: int, seed: int) -> None:
    k, n = code
    data = [some_bytes(size, seed + row) for row in range(k)]
    assert coded(isal, k, n, data) == coded(ZFEC, k, n, data)


def test_unaligned_writable_and_read_only_buffers_code_alike(isal: Engine) -> None:
    data = [some_bytes(1_001, row) for row in range(3)]
    expected = coded(ZFEC, 3, 5, data)
    room = memoryview(bytearray(10_000))
    shifted: list[Buffer] = []
    for row, share in enumerate(data):
        start = 1 + row * 1_003
        room[start : start + 1_001] = share
        shifted.append(room[start : start + 1_001])
    read_only: list[Buffer] = [memoryview(b"x" + share)[1:] for share in data]
    mixed: list[Buffer] = [data[0], bytearray(data[1]), shifted[2]]
    for buffers in (shifted, read_only, mixed):
        assert coded(isal, 3, 5, buffers) == expected


def test_nothing_is_written_beside_the_target(isal: Engine) -> None:
    for size in (1, 15, 31, 33, 63, 65, 127, 1_000):
        data = [some_bytes(size, row) for row in range(4)]
        room = bytearray(b"\xaa" * (size + 256))
        isal.encode(4, 5, data, [memoryview(room)[128 : 128 + size]])
        assert room[:128] == room[128 + size :] == b"\xaa" * 128
        assert [bytes(room[128 : 128 + size])] == coded(ZFEC, 4, 5, data)


def test_a_target_that_cannot_be_written_or_does_not_fit_is_a_programming_error(isal: Engine) -> None:
    with pytest.raises(BufferError):
        isal.encode(2, 3, [bytes(9), bytes(9)], [memoryview(bytes(9))])
    with pytest.raises(BufferError):
        isal.encode(2, 3, [bytes(9), bytes(9)], [memoryview(bytearray(18))[::2]])
    with pytest.raises(ValueError, match="same size"):
        isal.encode(2, 3, [bytes(9), bytes(9)], [memoryview(bytearray(8))])
    with pytest.raises(ValueError, match="exactly k"):
        isal.rebuild(2, 3, [(0, bytes(9))], [(1, memoryview(bytearray(9)))])


def test_buffers_are_let_go_after_each_call(isal: Engine) -> None:
    share, parity = bytearray(100), bytearray(100)
    isal.encode(1, 2, [share], [memoryview(parity)])
    share.extend(b"free to grow")
    parity.extend(b"free to grow")


def test_many_threads_share_one_engine(isal: Engine) -> None:
    wrong: list[tuple[int, int]] = []

    def work(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(30):
            k, n = rng.choice(EVERY_CODE)
            data = [some_bytes(5_000, row) for row in range(k)]
            if coded(isal, k, n, data) != coded(ZFEC, k, n, data):
                wrong.append((k, n))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_block_is_the_same_whichever_engine_coded_it(isal: Engine) -> None:
    assert made_block(100_000, 4, 7, engine=isal) == made_block(100_000, 4, 7, engine=ZFEC)


def test_the_configuration_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_engine("zfec").name == "zfec"
    assert find_engine("auto").name == "isal"
    monkeypatch.setattr(node.engine, "library_candidates", lambda: ["/nowhere/libisal.so"])
    assert find_engine("auto").name == "zfec"
    with pytest.raises(Unavailable) as refused:
        find_engine("isal")
    assert refused.value.identifier == "engine-missing"
    assert refused.value.parameters == {"engine": "isal", "tried": ("/nowhere/libisal.so",)}


def test_a_library_that_is_not_isal_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = tmp_path / "libisal.so.2"
    text.write_text("not a library", "utf-8")
    monkeypatch.setattr(node.engine, "library_candidates", lambda: [str(text), "libc.so.6"])
    assert find_engine("auto").name == "zfec"


def test_a_library_that_codes_otherwise_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(IsalEngine):
        def encode(self, k: int, n: int, data: Sequence[Buffer], parity: Sequence[memoryview]) -> None:
            super().encode(k, n, data, parity)
            parity[-1][-1] ^= 1

    assert agrees_with_zfec(ZFEC)
    assert not agrees_with_zfec(Wrong(library_candidates()[0]))
    monkeypatch.setattr(node.engine, "IsalEngine", Wrong)
    assert find_engine("auto").name == "zfec"
