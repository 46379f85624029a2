"""Starts the outside world before Django reads its settings: PostgreSQL, Valkey and the providers, for this run alone.

A pytest plugin (`-p tests.servers`), because settings are read from the environment while pytest itself starts. When
pytest-xdist runs tests side by side, each of its processes has a world of its own, so any test may stop, wipe or
freeze what it likes.
"""

import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import pytest

from stack.children import Children
from stack.environment import Secrets, Stack
from stack.layout import Layout
from stack.ports import Ports
from stack.processes import providers

_resources = ExitStack()
_servers: list["Servers"] = []


class Servers(Children):
    """PostgreSQL, Valkey and the four providers in one folder, on free ports; stops them all at the end of the `with`.

    Any number of them run side by side, and beside `./dev up`.
    """

    def __init__(self, folder: Path) -> None:
        self.stack = stack = Stack(Layout(folder.resolve()), Ports.free(), Secrets.new())
        stack.layout.make()
        programs = [stack.postgres.program(), stack.valkey.program(), *providers(stack)]
        super().__init__(programs, stack.layout.logs, stack.environment())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for name in reversed(self.programs):
            self.stop(name)

    def settings(self) -> dict[str, str]:
        """The variables that the shop reads; SHOP_URL names a free port for the test's server."""
        return self.stack.settings()


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Before pytest-django, which sets Django up in the same hook."""
    folder = _resources.enter_context(tempfile.TemporaryDirectory(prefix="stampede-test-"))
    servers = _resources.enter_context(Servers(Path(folder)))
    os.environ.update(servers.settings())
    if not _hands_out(early_config):
        servers.start()
    _servers.append(servers)
    yield


def _hands_out(config: pytest.Config) -> bool:
    """Whether this process only hands the tests out to others."""
    return bool(config.known_args_namespace.numprocesses) and "PYTEST_XDIST_WORKER" not in os.environ


def pytest_unconfigure() -> None:
    _resources.close()


@pytest.fixture(scope="session")
def servers() -> Servers:
    """The servers of this process: kill, freeze or restart one by its name; leave it running."""
    return _servers[0]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What only Linux can do is left out elsewhere; nothing else is ever left out."""
    chosen = [item for item in items if sys.platform == "linux" or not item.get_closest_marker("linux")]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def pytest_sessionfinish(session: pytest.Session) -> None:
    """The tests bring all that they need, so one that was skipped is one that is missing."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if terminalreporter.stats.get("skipped"):
        terminalreporter.line(
            "A test was skipped, and that counts as a failure: the tests bring all that they need."
        )
