"""One devnet for all tests that leave it whole again: starting one costs more than most tests."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import trio

from tests.support.processes import GATEWAY, Town, town

HERE = Path(__file__).parent
# The files that take longest, the longest first: two workers take one after the other, and shall end together.
LONGEST_FIRST = (
    "test_devnet.py",
    "test_disks.py",
    "test_kill9.py",
    "test_s3_clients.py",
    "test_recovery.py",
    "test_door.py",
    "test_succession.py",
    "test_members.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files in the order of how long they take, tests in the order in which they are written."""
    order = {HERE / name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


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
        trio.run(prepare, made)
        yield made


async def prepare(made: Town) -> None:
    """On a busy machine a healthy holder may need a second: it is waited for, as tests say who holds what."""
    await made.kill(GATEWAY)
    with (made.dir(GATEWAY) / "maillon.toml").open("a") as config:
        config.write("\n[vault]\nstraggler_wait_s = 20\n")
    await made.heal()
    await made.put("first", b"The bucket is there from now on.")


@pytest.fixture
async def six_nodes(shared_town: Town) -> Town:
    """The shared devnet, healthy; whatever the test does to its processes is healed before the next one."""
    await shared_town.heal()
    return shared_town
