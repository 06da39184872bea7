"""What a run saves changes nothing that it does, and is over when the run is."""

from __future__ import annotations

import gc

import pytest

from protocol.errors import Forged
from protocol.keys import signing
from protocol.keys.signing import SigningKey, verify
from sim.run.thrift import thrift

KEY = SigningKey.from_seed(bytes(32))
GOOD = KEY.sign("test", b"said")


def test_a_signature_is_worked_out_once_and_judged_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[bytes] = []

    def open_signed(signed: bytes, public: bytes) -> bytes:
        opened.append(signed)
        return real(signed, public)

    real = signing.crypto_sign_open
    monkeypatch.setattr(signing, "crypto_sign_open", open_signed)
    with thrift():
        for _ in range(3):
            verify(KEY.public, "test", b"said", GOOD)
        assert len(opened) == 1
        for message, public in ((b"another", KEY.public), (b"said", SigningKey.from_seed(bytes(31) + b"1").public)):
            for _ in range(2):
                with pytest.raises(Forged):
                    verify(public, "test", message, GOOD)
    assert signing.crypto_sign_open is open_signed


def test_the_collector_is_left_as_it_was_found() -> None:
    before = gc.get_threshold()
    with thrift():
        assert gc.get_threshold() != before
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
