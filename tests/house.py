"""Starts the outside world before Django reads its settings: PostgreSQL, Valkey and the providers, for this run alone.

A pytest plugin (`-p tests.house`), because settings are read from the environment while pytest itself starts.
Workers of xdist use what their controller has started.
"""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from sandbox.stack.servers import Servers

_resources = ExitStack()


def _start() -> Servers | None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        return None
    folder = _resources.enter_context(tempfile.TemporaryDirectory(prefix="stampede-test-"))
    servers = _resources.enter_context(Servers(Path(folder)))
    os.environ.update(servers.settings())
    servers.start_all()
    return servers


SERVERS = _start()


def pytest_unconfigure() -> None:
    _resources.close()


@pytest.fixture(scope="session")
def house() -> Servers:
    """The servers of this run: kill, freeze or restart one by its name; leave it running."""
    if SERVERS is None:
        pytest.fail("A test that stops servers must run in one process: leave out -n.")
    return SERVERS


def pytest_sessionfinish(session: pytest.Session) -> None:
    """CI has all that the tests need, so a test that was skipped there is a test that is missing."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
