"""A copy of this checkout with a `.dev/` of its own, so that these tests meet no stack that somebody has up.

The copy uses the environment that runs the tests; only test_launcher.py has one installed for it.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from stack import leftovers
from stack.layout import ROOT, Layout
from tests.lanes import free_base

SECONDS = 120  # for one command on a busy machine; each has tighter limits of its own where they matter
LEFT_OUT = (".dev", ".git", "node_modules", "__pycache__", ".*_cache", ".hypothesis")


class Checkout:
    """One copy: type commands in it, and see what it leaves running."""

    def __init__(self, path: Path, port: int) -> None:
        self.path, self.port, self.layout = path, port, Layout(path / ".dev")

    def dev(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        return subprocess.run(
            self._command(arguments),
            cwd=self.path,
            env=self._environment(environment),
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start one command and read along; for those that stay."""
        return subprocess.Popen(
            self._command(arguments),
            cwd=self.path,
            env=self._environment(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.dev("status", "--json").stdout)
        return answer

    def running(self) -> list[psutil.Process]:
        return leftovers.find(self.layout)

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-P", "-m", "stack", *arguments]

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        return {**bare_environment(), "PYTHONPATH": str(self.path), "STAMPEDE_PORT": str(self.port), **more}


def bare_environment() -> dict[str, str]:
    """What a stranger's shell has: not the settings of the servers that these tests run beside."""
    kept = (
        "HOME",
        "PATH",
        "LANG",
        "TMPDIR",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    )
    return {
        name: value
        for name, value in os.environ.items()
        if name in kept
        or name.startswith(("PIP_", "UV_"))
        or name.lower() in ("http_proxy", "https_proxy", "no_proxy")
    }


def copy_to(folder: Path) -> Path:
    return Path(shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A fresh copy; what it left running is ended when the module's tests are over."""
    copy = Checkout(copy_to(tmp_path_factory.mktemp("checkout") / "stampede"), free_base())
    yield copy
    leftovers.end_all(copy.layout)
