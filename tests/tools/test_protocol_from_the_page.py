"""A stranger's few lines, written from docs/protocol.md alone, agree with the vectors.

Nothing here imports the program: only msgpack, BLAKE3, Ed25519 and AES-GCM, and what the page says. If one of these
tests fails while the program's own pass, the page tells something else than the program does.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import msgpack
import pytest
from blake3 import blake3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl.signing import SigningKey, VerifyKey

VECTORS = Path(__file__).resolve().parents[1] / "vectors"


def load(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


def h(context: str, *data: bytes) -> bytes:
    return bytes(blake3(b"".join(data), derive_key_context=context).digest())


def pack(value: object) -> bytes:
    return bytes(msgpack.packb(value, use_bin_type=True))


def unpack(text: str) -> list[Any]:
    found: list[Any] = msgpack.unpackb(bytes.fromhex(text))
    return found


def check(key: bytes, purpose: str, message: bytes, signature: bytes) -> None:
    """Raises when the signature is not good."""
    VerifyKey(key).verify(purpose.encode() + b"\x00" + message, signature)


def u64be(number: int) -> bytes:
    return number.to_bytes(8, "big")


def unseal(key: bytes, sealed: bytes) -> bytes:
    segments = [sealed[start : start + 65_536] for start in range(0, len(sealed), 65_536)]
    nonces = [bytes(7) + i.to_bytes(4, "big") + bytes([i == len(segments) - 1]) for i in range(len(segments))]
    return b"".join(AESGCM(key).decrypt(nonce, part, None) for nonce, part in zip(nonces, segments, strict=True))


def unsalt(context: str, key: bytes, sealed: bytes) -> bytes:
    return unseal(h(context, key, sealed[:16]), sealed[16:])


def log2(number: int) -> int:
    result = number.bit_length() - 1
    mantissa = number << (63 - result) if result < 64 else number >> 1
    for _ in range(32):
        mantissa = mantissa * mantissa // 2**63
        carry = mantissa // 2**64
        mantissa //= 2**carry
        result = 2 * result + carry
    return result


@pytest.mark.parametrize("draw", load("placement")["draws"], ids=lambda draw: f"weight {draw['weight']}")
def test_a_draw(draw: dict[str, Any]) -> None:
    drawn = h("maillon 1 placement draw", bytes.fromhex(draw["block"]), bytes.fromhex(draw["node"]))
    distance = 64 * 2**32 - log2(int.from_bytes(drawn[:8], "big") + 1)
    assert distance * 2**64 // draw["weight"] == int(draw["score"])


def test_a_header_and_its_id() -> None:
    vector = load("coding")["header"]
    assert unpack(vector["bytes"])[:6] == [1, *(vector[f] for f in ("codec", "k", "n", "size_bytes", "data_class"))]
    assert h("maillon/1 block id", bytes.fromhex(vector["bytes"])).hex() == vector["block_id"]


def test_a_label_is_signed_without_its_last_field() -> None:
    label = unpack(load("coding")["label"]["bytes"])
    check(label[5], "maillon/label/1", pack(label[:6]), label[6])


def test_a_proof_leads_to_the_root() -> None:
    vector = load("coding")["proof"]
    _version, index, leaves, path = unpack(vector["bytes"])
    share, header = bytes.fromhex(vector["share"]), unpack(vector["header"])
    parts = [share[at : at + 65_536] for at in range(0, len(share), 65_536)]
    assert b"".join(h("maillon/1 share leaf", part) for part in parts) == leaves
    node = h("maillon/2 share root", u64be(len(share)), leaves)
    turns, first, count = [], 0, header[3]
    while count > 1:  # from the top down
        left = 1 << (count - 1).bit_length() - 1
        goes_left = index - first < left
        turns.append(goes_left)
        first, count = (first, left) if goes_left else (first + left, count - left)
    for goes_left, neighbour in zip(reversed(turns), path, strict=True):
        node = h("maillon/1 tree inner node", *((node, neighbour) if goes_left else (neighbour, node)))
    assert h("maillon/1 block root", u64be(header[3]), node) == header[7]


def test_an_organisation_is_the_hash_of_all_its_keys() -> None:
    vector = load("members")["organisation"]
    seed = bytes.fromhex(vector["seed"])
    keys = [
        SigningKey(h("maillon 2026 organisation signing key 1", seed, bytes([g]))).verify_key.encode()
        for g in range(8)
    ]
    rest = bytes(32)
    for key in reversed(keys):
        rest = h("maillon 2026 organisation key commitment 1", key, rest)
    assert rest.hex() == vector["id"]
    assert [key.hex() for key in keys[: len(vector["keys"])]] == vector["keys"]


@pytest.mark.parametrize("vector", load("members")["records"], ids=lambda vector: vector["name"])
def test_a_record(vector: dict[str, Any]) -> None:
    record = unpack(vector["bytes"])
    _version, federation, kind, counter, author, subject, body, signature = record
    assert h("maillon 2026 record id 1", bytes.fromhex(vector["bytes"])).hex() == vector["id"]
    if kind == 1:
        assert h("maillon 2026 federation id 1", body) == federation == subject
    if kind in (2, 9):
        assert signature == bytes(64)
        return
    body_hash = h("maillon 2026 record body 1", body)
    check(author, "maillon/record/1", pack([federation, kind, counter, author, subject, body_hash]), signature)


def test_an_invitation() -> None:
    vector = load("members")["invitation"]
    raw = bytes.fromhex(vector["bytes"])
    fields = unpack(vector["bytes"])
    identity = h("maillon 2026 invitation id 1", fields[1])
    assert identity.hex() == vector["id"]
    check(fields[4], "maillon/invitation/1", pack([1, identity, *fields[2:7]]), fields[7])
    checked = raw + h("maillon 2026 invitation checksum 1", raw)[:5]
    assert "maillon1" + base64.b32encode(checked).decode().rstrip("=").lower() == vector["text"]


def test_a_claim_and_an_accusation() -> None:
    vector = load("gossip")["swim"]
    federation = bytes.fromhex(vector["federation"])
    for update in (unpack(vector["claim"]), unpack(vector["accusation"])):
        node, incarnation, leaving, signature = update[1]
        said = pack([federation, node, incarnation, leaving])
        check(node, "maillon/swim-claim/1", said, signature)
        if update[2] is not None:
            check(update[2], "maillon/swim-accusation/1", said, update[3])


def test_the_digest_of_a_trie() -> None:
    vector = load("gossip")["reconcile"]
    salt = bytes.fromhex(vector["salt"])
    places = sorted(blake3(bytes.fromhex(one), key=salt).digest() for one in vector["ids"])

    def digest(path: str) -> bytes:
        below = [place for place in places if place.hex().startswith(path)]
        if not below:
            return b""
        if len(below) <= 16:
            return bytes(blake3(b"\x00" + b"".join(below), key=salt).digest(16))
        children = b"".join(digest(f"{path}{nibble:x}") or bytes(16) for nibble in range(16))
        return bytes(blake3(b"\x01" + children, key=salt).digest(16))

    assert digest("").hex() == vector["root"]


def test_a_namespace_down_to_its_entries() -> None:
    vector = load("namespace")
    root = bytes.fromhex(vector["root"]["secret"])
    namespace = SigningKey(h("maillon 2026 namespace root signing key 1", root)).verify_key.encode()
    assert namespace.hex() == vector["root"]["namespace"]
    certificate = unpack(vector["certificate"]["bytes"])
    check(namespace, "maillon/writer-certificate/1", pack(certificate[:6]), certificate[6])

    opening = unpack(vector["opening"]["bytes"])
    previous = h("maillon 2026 journal opening 1", pack(opening[:10]))
    assert previous.hex() == vector["opening"]["hash"]
    check(opening[7][2], "maillon/journal-opening/1", previous, opening[10])
    wrapping = h("maillon 2026 namespace wrapping key 1", root, opening[7][4].to_bytes(4, "big"))
    epoch_key = unsalt("maillon 2026 journal epoch key 1", wrapping, opening[8])
    assert epoch_key.hex() == vector["opening"]["epoch-key"]

    for entry in vector["entries"]:
        _version, _namespace, epoch, position, before, sealed, inline, signature = unpack(entry["bytes"])
        assert before == previous
        bodies = (h("maillon 2026 journal entry changes 1", sealed), h("maillon 2026 journal entry inline 1", inline))
        previous = h("maillon 2026 journal entry 1", namespace, u64be(epoch), u64be(position), before, *bodies)
        assert previous.hex() == entry["hash"]
        check(certificate[2], "maillon/journal-entry/1", previous, signature)
        changes = msgpack.unpackb(unsalt("maillon 2026 journal entry key 1", epoch_key, sealed))
        assert changes[0] == 1
