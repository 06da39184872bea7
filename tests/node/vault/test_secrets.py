"""Keys on disk: private, checked, and never shown."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import Path, PurePath

import pytest

from node.host.faults import NoFaults
from node.host.files import RealDisk
from node.vault.secrets import (
    GatewaySecrets,
    gateway_secrets,
    load_secrets,
    load_seed,
    save_secrets,
    save_seed,
    saved_namespaces,
)
from protocol.errors import Damaged, Missing
from protocol.ids import NamespaceId, text_of
from protocol.namespace.root import Root, verify_certificate
from tests.support.namespaces import node, some

ROOT = Root(some("root"))


def secrets(generation: int = 2) -> GatewaySecrets:
    return gateway_secrets(
        ROOT,
        data_class="internal",
        name="mairie",
        node=node(1),
        writer_seed=some("writer"),
        generation=generation,
        from_epoch=1,
    )


@pytest.fixture
def disk(tmp_path: Path) -> RealDisk:
    return RealDisk(tmp_path, NoFaults())


def test_a_seed_comes_back_and_only_its_owner_may_read_it(disk: RealDisk, tmp_path: Path) -> None:
    save_seed(disk, "node", some("seed"))
    assert load_seed(disk, "node") == some("seed")
    assert stat.S_IMODE((tmp_path / "keys" / "node.key").stat().st_mode) == 0o600


def test_secrets_come_back_and_only_their_owner_may_read_them(disk: RealDisk, tmp_path: Path) -> None:
    kept = dataclasses.replace(secrets(), opening=b"opening")
    save_secrets(disk, kept)
    assert load_secrets(disk, ROOT.namespace) == kept
    assert saved_namespaces(disk) == (text_of(ROOT.namespace),)
    (path,) = (tmp_path / "keys" / "namespaces").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_root_is_not_among_them(disk: RealDisk, tmp_path: Path) -> None:
    save_secrets(disk, secrets())
    (path,) = (tmp_path / "keys" / "namespaces").iterdir()
    assert ROOT.secret not in path.read_bytes()
    assert ROOT.signing_key.seed not in path.read_bytes()


def test_they_certify_the_writer_and_open_every_generation_so_far() -> None:
    made = secrets(generation=3)
    verify_certificate(made.certificate)
    assert made.certificate.writer == made.writer_key.public
    assert [made.wrapping_key(number) for number in (1, 2, 3)] == [ROOT.wrapping_key(number) for number in (1, 2, 3)]
    with pytest.raises(Missing, match="generation-key-missing"):
        made.wrapping_key(4)


def test_what_is_not_here_is_missing(disk: RealDisk) -> None:
    assert saved_namespaces(disk) == ()
    with pytest.raises(Missing, match="key-missing"):
        load_seed(disk, "node")
    with pytest.raises(Missing, match="key-missing"):
        load_secrets(disk, NamespaceId(some("other")))


@pytest.mark.parametrize("at", [0, 10, 40, -1])
def test_a_flipped_bit_is_named_damage(disk: RealDisk, at: int) -> None:
    save_seed(disk, "node", some("seed"))
    path = PurePath("keys/node.key")
    data = bytearray(disk.read(path, size_bytes_max=1_000))
    data[at] ^= 1
    disk.replace(path, bytes(data), private=True)
    with pytest.raises(Damaged, match="key-damaged"):
        load_seed(disk, "node")


@pytest.mark.parametrize("size", [0, 31, 63])
def test_a_truncated_file_is_named_damage(disk: RealDisk, size: int) -> None:
    save_secrets(disk, secrets())
    path = PurePath("keys/namespaces") / f"{text_of(ROOT.namespace)}.key"
    disk.replace(path, disk.read(path, size_bytes_max=10_000)[:size], private=True)
    with pytest.raises(Damaged, match="key-damaged"):
        load_secrets(disk, ROOT.namespace)


def test_secrets_of_another_namespace_under_this_name_are_damage(disk: RealDisk) -> None:
    save_secrets(disk, secrets())
    data = disk.read(PurePath("keys/namespaces") / f"{text_of(ROOT.namespace)}.key", size_bytes_max=10_000)
    other = NamespaceId(some("other"))
    disk.replace(PurePath("keys/namespaces") / f"{text_of(other)}.key", data, private=True)
    with pytest.raises(Damaged, match="key-damaged"):
        load_secrets(disk, other)


def test_nothing_secret_is_shown() -> None:
    made = secrets()
    for secret in (made.writer_seed, *(wrapping.key for wrapping in made.wrapping_keys)):
        assert secret.hex() not in repr(made)
        assert str(secret) not in repr(made)
        assert str(secret) not in repr(made.wrapping_keys)
