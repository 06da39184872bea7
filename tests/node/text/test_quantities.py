"""What is shown can be read, and what people type is understood."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.text.quantities import parse_size, show_duration, show_size


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("0", 0),
        ("4096", 4096),
        ("100 GB", 100 * 10**9),
        ("1.5TiB", 3 * 2**39),
        ("64 MiB", 64 * 2**20),
        ("10k", 10_000),
        ("2 Go", 2 * 10**9),
    ],
)
def test_sizes_are_understood(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["", "GB", "-1", "1 2", "1,5 GB", "one", "1 XB", "0x10"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_size(text)


@given(st.integers(0, 10**15))
def test_a_shown_size_can_be_typed_back_to_within_its_digits(size_bytes: int) -> None:
    again = parse_size(show_size(size_bytes))
    assert abs(again - size_bytes) <= max(1, size_bytes * 0.006)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.84, "0.8 s"), (42, "42 s"), (185, "3 min 05 s"), (7800, "2 h 10 min"), (59.7, "1 min 00 s")],
)
def test_durations_are_told_in_the_largest_fitting_units(seconds: float, told: str) -> None:
    assert show_duration(seconds) == told
