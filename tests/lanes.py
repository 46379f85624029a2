"""Which tests run beside which, when `./dev test` runs all of them in three lanes (pytest-xdist).

The tests of a file follow each other in one lane, so that they share what their module has set up, and so do all that
use the one whole stack. The longest come first: a lane that began late with one would end long after the other.
"""

import os
from collections.abc import Generator
from contextlib import ExitStack

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from stack.ports import next_free_base

_LANE = os.environ.get("PYTEST_XDIST_WORKER", "")
# These share the session's whole stack. A rush moves the stock that others count on, so it comes last.
_NEED_THE_STACK = ("tests/browser/", "tests/whole/", "tests/bench/test_measuring")
# The stack itself, for as long as it stands.
the_stack = ExitStack()
# By what their path begins with.
_LONGEST_FIRST = (
    "tests/chaos/test_matrix",
    *_NEED_THE_STACK,
    "tests/bench/test_media",
    "tests/bench/test_orders",
    "tests/acceptance/test_stack",
    "tests/integration/deploy/test_health",
    "tests/integration/live/",
    "tests/acceptance/",
    "tests/chaos/",
)
_FIRST_PORT, _PORTS = 20_000, 500  # of the first lane, and how many each has


class Lanes(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
    """Hands out files; xdist's own groups are names that it appends to a test's, which pytest 9.2 does not let it."""

    def _split_scope(self, nodeid: str) -> str:
        return "stack" if nodeid.startswith(_NEED_THE_STACK) else nodeid.partition("::")[0]


def free_base() -> int:
    """A free block of ports that no other lane looks at."""
    base = next_free_base(_FIRST_PORT + int(_LANE.removeprefix("gw") or 0) * _PORTS)
    assert base, "there is no free block of ports"
    return base


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Lanes:
    return Lanes(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_place)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    """When the tests of the stack are over it is taken down: an empty stack uses a tenth of a processor."""
    yield
    if _needs_the_stack(item) and not (nextitem and _needs_the_stack(nextitem)):
        the_stack.close()


def _needs_the_stack(item: pytest.Item) -> bool:
    return item.nodeid.startswith(_NEED_THE_STACK)


def _place(item: pytest.Item) -> int:
    found = (place for place, start in enumerate(_LONGEST_FIRST) if item.nodeid.startswith(start))
    return next(found, len(_LONGEST_FIRST))
