"""Which machine does the arithmetic of the erasure code.

ISA-L multiplies over GF(2⁸) with vector instructions, many times faster than zfec. It is fed zfec's own matrix
(`protocol.coding.erasure`), so its shares are zfec's, bit for bit, and a federation may mix both. The library is
the one inside PyPI's `pyeclib` wheel, or the system's (`libisal2` in Debian); before it is trusted it codes a few
bytes that zfec codes too. Where there is none, zfec always works. ctypes lets go of the interpreter's lock during
each call, so coding runs beside everything else when it is called in a thread.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

from node.logs import get_logger
from protocol.coding.erasure import (
    Buffer,
    Engine,
    Rows,
    ZfecEngine,
    check_encode,
    check_rebuild,
    generator_rows,
    rebuild_rows,
)
from protocol.errors import Unavailable

EngineChoice = Literal["auto", "isal", "zfec"]

SYSTEM_LIBRARIES: Final = ("libisal.so.2", "libisal.so", "libisal.2.dylib")
_TABLE_BYTES: Final = 32  # ISA-L's expanded form of one coefficient

log = get_logger(__name__)


def find_engine(choice: EngineChoice = "auto") -> Engine:
    """The engine that the configuration asks for; `auto` takes ISA-L where it works.

    Raises:
        Unavailable: `engine-missing` when ISA-L is demanded but no library can be loaded, or none codes as zfec.
    """
    if choice == "zfec":
        return ZfecEngine()
    tried = library_candidates()
    for path in tried:
        try:
            engine = IsalEngine(path)
        except (OSError, AttributeError) as error:
            log.debug("engine.library-skipped", library=path, error=str(error))
            continue
        if agrees_with_zfec(engine):
            return engine
        log.warning("engine.library-wrong", library=path)
    if choice == "isal":
        raise Unavailable("engine-missing", engine="isal", tried=tuple(tried))
    return ZfecEngine()


def library_candidates() -> list[str]:
    """Where ISA-L may be, the likeliest first."""
    found: list[str] = []
    spec = importlib.util.find_spec("pyeclib")
    if spec is not None and spec.origin is not None:
        bundled = Path(spec.origin).parent.parent / "pyeclib.libs"
        found.extend(str(path) for path in sorted(bundled.glob("libisal*.so*")))
    return [*found, *SYSTEM_LIBRARIES]


class IsalEngine:
    """ISA-L on zfec's matrix."""

    def __init__(self, library: str) -> None:
        """Load the library. Raises OSError, or AttributeError when it is not ISA-L."""
        loaded = ctypes.CDLL(library)
        self.library = library
        self._init_tables = loaded.ec_init_tables
        self._init_tables.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
        self._init_tables.restype = None
        self._multiply = loaded.ec_encode_data
        self._multiply.argtypes = (ctypes.c_int,) * 3 + (ctypes.c_void_p,) * 3
        self._multiply.restype = None
        # The expanded coefficients of recent codes and rebuilds; bounded, and never written to once made.
        self._tables = lru_cache(maxsize=256)(self._expand)

    @property
    def name(self) -> str:
        return "isal"

    def encode(self, k: int, n: int, data: Sequence[Buffer], parity: Sequence[memoryview]) -> None:
        check_encode(k, n, data, parity)
        self._apply(generator_rows(k, n)[k:], data, parity)

    def rebuild(
        self, k: int, n: int, present: Sequence[tuple[int, Buffer]], wanted: Sequence[tuple[int, memoryview]]
    ) -> None:
        check_rebuild(k, n, present, wanted)
        given, asked = tuple(index for index, _ in present), tuple(index for index, _ in wanted)
        rows = rebuild_rows(k, n, given, asked)
        self._apply(rows, [share for _, share in present], [share for _, share in wanted])

    def _apply(self, rows: Rows, sources: Sequence[Buffer], targets: Sequence[memoryview]) -> None:
        """Make each target the sum of the sources, weighted by its row."""
        if not targets or not memoryview(targets[0]).nbytes:
            return
        size_bytes = memoryview(targets[0]).nbytes
        with _addresses(sources, writable=False) as inputs, _addresses(targets, writable=True) as outputs:
            self._multiply(size_bytes, len(sources), len(targets), self._tables(rows), inputs, outputs)

    def _expand(self, rows: Rows) -> ctypes.Array[ctypes.c_char]:
        k = len(rows[0])
        tables = ctypes.create_string_buffer(_TABLE_BYTES * k * len(rows))
        self._init_tables(k, len(rows), b"".join(rows), tables)
        return tables


def agrees_with_zfec(engine: Engine) -> bool:
    """Does it code and rebuild a small sample as zfec does? Sizes straddle the widths of vector registers."""
    k, n = 5, 9
    for size_bytes in (1, 31, 64, 255):
        data = [bytes((7 * row + 11 * column) % 256 for column in range(size_bytes)) for row in range(k)]
        made, expected = (_coded(which, k, n, data) for which in (engine, ZfecEngine()))
        if made != expected:
            return False
        rebuilt = [bytearray(size_bytes) for _ in range(k)]
        present = [(index, expected[index - k]) for index in range(k, n)] + [(0, data[0])]
        engine.rebuild(k, n, present, [(index, memoryview(share)) for index, share in enumerate(rebuilt)])
        if [bytes(share) for share in rebuilt] != data:
            return False
    return True


def _coded(engine: Engine, k: int, n: int, data: list[bytes]) -> list[bytes]:
    parity = [bytearray(len(data[0])) for _ in range(n - k)]
    engine.encode(k, n, data, [memoryview(share) for share in parity])
    return [bytes(share) for share in parity]


class _PyBuffer(ctypes.Structure):
    """CPython's `Py_buffer`: the only way to the address of a read-only buffer that copies nothing."""

    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.c_void_p),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    )


_WRITABLE: Final = 1  # PyBUF_WRITABLE


@contextmanager
def _addresses(buffers: Sequence[Buffer], *, writable: bool) -> Iterator[ctypes.Array[ctypes.c_void_p]]:
    """Where the buffers lie, as a C array. They are held in place until the end.

    Raises:
        BufferError: a buffer is not contiguous, or read-only where it must be written.
    """
    with ExitStack() as held:
        pointers = (ctypes.c_void_p * len(buffers))()
        for position, buffer in enumerate(buffers):
            view = _PyBuffer()
            flags = _WRITABLE if writable else 0
            ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(buffer), ctypes.byref(view), flags)
            held.callback(ctypes.pythonapi.PyBuffer_Release, ctypes.byref(view))
            pointers[position] = view.buf
        yield pointers
