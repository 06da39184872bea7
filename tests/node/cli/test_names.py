"""Keys and paths: what a hostile key cannot do, and what an ordinary folder becomes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.cli.names import LocalFile, parse_object, parse_prefix, relative_key, safe_path, walk
from protocol.errors import Refused


@pytest.mark.parametrize("text", ["", "bucket", "bucket/", "/key"])
def test_what_names_no_object_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        parse_object(text)


def test_only_the_first_slash_parts_bucket_and_key() -> None:
    assert parse_object("photos/2026/cat.jpg").key == "2026/cat.jpg"
    assert parse_prefix("photos").key == ""


@pytest.mark.parametrize(
    "key", ["../x", "a/../../x", "/etc/passwd", "a//b", "a/./b", ".", "..", "a/", "a\x00b", "a/..", ""]
)
def test_a_key_that_would_leave_the_folder_is_refused(key: str) -> None:
    with pytest.raises(Refused, match="local-path-unsafe"):
        safe_path(Path("/somewhere"), key)


@given(st.text(min_size=1, max_size=60))
def test_whatever_the_key_the_path_stays_inside(key: str) -> None:
    folder = Path("/nowhere/inside")
    try:
        path = safe_path(folder, key)
    except Refused:
        return
    assert path.is_relative_to(folder)
    assert path != folder
    assert ".." not in path.parts


def test_nothing_is_written_through_a_symbolic_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link").symlink_to(outside)
    with pytest.raises(Refused, match="local-path-unsafe"):
        safe_path(inside, "link/file")
    (inside / "file").symlink_to(outside / "target")
    with pytest.raises(Refused, match="local-path-unsafe"):
        safe_path(inside, "file")


@pytest.mark.parametrize(
    ("prefix", "key", "relative"),
    [
        ("", "a/b", "a/b"),
        ("a", "a/b", "b"),
        ("a/", "a/b", "b"),
        ("a/b", "a/b", "b"),
        ("a/b", "a/bc", "bc"),
        ("x/a", "x/a/b/c", "b/c"),
    ],
)
def test_keys_are_named_relative_to_their_prefix(prefix: str, key: str, relative: str) -> None:
    assert relative_key(prefix, key) == relative


def test_a_folder_becomes_keys_in_order_and_odd_files_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two").write_bytes(b"22")
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    (tmp_path / "folder-link").symlink_to(tmp_path / "b")
    skipped: list[Path] = []
    found = list(walk(tmp_path, "in", skipped.append))
    assert found == [LocalFile(tmp_path / "a", "in/a", 1), LocalFile(tmp_path / "b" / "two", "in/b/two", 2)]
    assert {path.name for path in skipped} == {"link", "folder-link"}


def test_a_name_that_cannot_be_a_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "caf\udce9").write_bytes(b"")
    with pytest.raises(Refused, match="local-name-encoding"):
        list(walk(tmp_path, "", lambda path: None))
    (tmp_path / "caf\udce9").rename(tmp_path / "cafe")
    with pytest.raises(Refused, match="local-name-long"):
        list(walk(tmp_path, "k" * 1024, lambda path: None))
