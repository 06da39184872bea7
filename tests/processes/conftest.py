"""One devnet for all tests that leave it whole again: starting one costs more than most tests."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest
import trio

from tests.support.processes import Town, town


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that failed shows what its nodes said."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        for made in [value for value in item.funcargs.values() if isinstance(value, Town)]:
            report.sections += [(f"log of {name}", words) for name, words in made.last_words().items()]
    return report


@pytest.fixture(scope="session")
def shared_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Six nodes of six organisations, 3 of 6."""
    with town(tmp_path_factory.mktemp("town") / "devnet", "--nodes", "6", "--code", "3/6") as made:
        trio.run(made.put, "first", b"The bucket is there from now on.")
        yield made


@pytest.fixture
async def six_nodes(shared_town: Town) -> Town:
    """The shared devnet, healthy; whatever the test does to its processes is healed before the next one."""
    await shared_town.heal()
    return shared_town
