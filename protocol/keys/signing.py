"""Ed25519 signatures, each bound to a purpose.

What is signed is always ``purpose || 0x00 || message``, where the purpose is a short text unique to one kind of
statement ("maillon/record/1"), so that a signature made for one use can never be shown as another. Keys are
derived from 32-byte seeds, so entropy stays an argument.

Source: RFC 8032, through libsodium (PyNaCl).
"""

from __future__ import annotations

from dataclasses import dataclass

from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import CryptoError

from protocol.errors import Forged
from protocol.ids import ID_BYTES, SIGNATURE_BYTES, PublicKey


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """A private key. It never shows itself: `repr` gives the public half."""

    seed: bytes
    public: PublicKey
    _expanded: bytes

    @classmethod
    def from_seed(cls, seed: bytes) -> SigningKey:
        """The key of a 32-byte seed."""
        if len(seed) != ID_BYTES:
            raise ValueError("an Ed25519 seed has 32 bytes")
        public, expanded = crypto_sign_seed_keypair(seed)
        return cls(seed, PublicKey(public), expanded)

    def sign(self, purpose: str, message: bytes) -> bytes:
        """The 64-byte signature of `message` for `purpose`."""
        return bytes(crypto_sign(_bound(purpose, message), self._expanded)[:SIGNATURE_BYTES])

    def __repr__(self) -> str:
        return f"SigningKey(public={self.public.hex()})"


def verify(public: bytes, purpose: str, message: bytes, signature: bytes) -> None:
    """Return if the signature is good.

    Raises:
        Forged: `signature`, with the purpose, when it is not.
    """
    if len(public) != ID_BYTES or len(signature) != SIGNATURE_BYTES:
        raise Forged("signature", purpose=purpose)
    try:
        crypto_sign_open(signature + _bound(purpose, message), public)
    except (CryptoError, ValueError) as error:
        raise Forged("signature", purpose=purpose) from error


def _bound(purpose: str, message: bytes) -> bytes:
    return purpose.encode("ascii") + b"\x00" + message
