"""Processes of the stack that die at a crash point."""

from collections.abc import Callable

import pytest

from orders.crashpoints import Point
from tests.chaos.dying import Loaded

Dies = Callable[[Point, str], None]


@pytest.fixture(scope="session")
def dies(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Dies:
    """`dies(point, script)`: run the script as a process of the stack, which must be killed at the point."""
    return Loaded(tmp_path_factory.mktemp("dying")).dies
