"""The configuration file: what is accepted, what is refused, and how the refusal helps."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from node.config import Config
from node.config_file import load, parse, reference
from node.text.sentences import sentence
from protocol.errors import MaillonError, Malformed, Missing


def refusal(text: str) -> MaillonError:
    with pytest.raises(MaillonError) as caught:
        parse(text)
    return caught.value


def test_an_empty_file_is_all_defaults() -> None:
    assert parse("") == Config()


def test_what_is_said_is_taken_and_the_rest_stays() -> None:
    config = parse('bulk = "sealed"\n[node]\nname = "n1"\n[vault]\nstraggler_wait_s = 2\n')
    assert config.bulk == "sealed"
    assert config.node.name == "n1"
    assert config.vault.straggler_wait_s == 2.0
    assert config.vault.blocks_in_flight == Config().vault.blocks_in_flight


def test_several_disks_with_sizes_as_people_write_them() -> None:
    config = parse('[[store.disks]]\npath = "/a"\ncapacity = "2 TB"\n[[store.disks]]\npath = "/b"\ncapacity = 500\n')
    assert [(disk.path, disk.capacity_bytes) for disk in config.store.disks] == [("/a", 2 * 10**12), ("/b", 500)]


@pytest.mark.parametrize(
    ("text", "key", "nearest"),
    [
        ('blk = "tls"', "blk", "bulk"),
        ("[vault]\nstragler_wait_s = 1", "vault.stragler_wait_s", "vault.straggler_wait_s"),
        ("[valt]", "valt", "vault"),
        ("[[store.disks]]\ncapacty = 1", "store.disks.capacty", "store.disks.capacity"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(text: str, key: str, nearest: str) -> None:
    error = refusal(text)
    assert error.identifier == "config-unknown-key"
    assert error.parameters["key"] == key
    assert error.parameters["nearest"] == nearest
    assert nearest in sentence(error)


def test_a_key_like_no_other_is_refused_with_all_that_are_known() -> None:
    error = refusal("[gossip]\nzzz = 1")
    assert error.identifier == "config-unknown-key-far"
    assert "push_fanout" in sentence(error)


@pytest.mark.parametrize(
    "text",
    [
        "bulk = true",
        'bulk = "plain"',
        "[node]\nname = 3",
        '[node]\nadvertise = "one"',
        "[node]\nadvertise = [1]",
        '[vault]\nblocks_in_flight = "4"',
        "[vault]\nblocks_in_flight = 0",
        "[vault]\nblocks_in_flight = true",
        "[vault]\nhedge_after_s = -1",
        "[vault]\nhedge_after_s = nan",
        "vault = 3",
        "[store]\ndisks = []",
        '[[store.disks]]\ncapacity = "much"',
        "[[store.disks]]\ncapacity = -1",
        '[log]\nlevel = "loud"',
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_with_what_it_must_be(text: str) -> None:
    error = refusal(text)
    assert error.identifier == "config-value"
    assert str(error.parameters["expected"]) in sentence(error)


def test_broken_toml_says_where() -> None:
    error = refusal("[node\n")
    assert error.identifier == "config-syntax"
    assert "line 1" in sentence(error)


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(Missing):
        load(tmp_path / "maillon.toml")
    (tmp_path / "maillon.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(Malformed):
        load(tmp_path / "maillon.toml")


def every_setting(kind: Any = Config) -> list[dataclasses.Field[Any]]:
    found = []
    for setting in dataclasses.fields(kind):
        found.append(setting)
        inner = setting.default[0] if isinstance(setting.default, tuple) and setting.default else setting.default
        if dataclasses.is_dataclass(inner):
            found += every_setting(type(inner))
    return found


def test_every_key_is_documented() -> None:
    leaves = [setting for setting in every_setting() if not dataclasses.is_dataclass(setting.default)]
    assert len(leaves) > 40
    assert [setting.name for setting in leaves if not setting.metadata["doc"]] == []
    page = reference()
    assert all(setting.metadata["doc"].split(".")[0] in page for setting in leaves if setting.name != "disks")
