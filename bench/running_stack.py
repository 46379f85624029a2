"""The stack under test as a benchmark meets it: its addresses, its command line, the main process of each program."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stack.environment import MARKER
from stack.layout import ROOT, STACK, Layout
from stack.processes import POOLS
from stack.program import StackError
from stack.supervisor import Supervisor

PROVIDERS = ("payments", "sms", "carrier", "mailbox")
POOL_NAMES = tuple(pool.name for pool in POOLS)
_NEEDED = ("SHOP_URL", "DATABASE_URL", "BROKER_URL", "PAYMENTS_URL", "MAILBOX_URL")


def kind_of(name: str) -> str:
    """The kind of process that a program is counted as: the pool "payment" is not the provider "payments"."""
    if name in POOL_NAMES:
        return f"pool.{name}"
    return f"provider.{name}" if name in PROVIDERS else name


@dataclass
class RunningStack:
    """`environment` is that of its processes; `roots` finds the main process of each program that runs."""

    environment: Mapping[str, str]
    roots: Callable[[], Mapping[str, int]]

    @classmethod
    def of_environment(cls) -> "RunningStack":
        """The stack of this checkout, or the one in the folder that the environment names; its settings are ours."""
        if missing := [name for name in _NEEDED if not os.environ.get(name)]:
            raise StackError(
                f"{', '.join(missing)} not set: this measures a running stack.\n"
                "Start it as `./dev replay`, `./dev rush` or `./dev bench`, which set them."
            )
        layout = Layout(Path(os.environ[MARKER])) if MARKER in os.environ else STACK
        return cls(dict(os.environ), lambda: Supervisor.of(layout).pids())

    def __getitem__(self, name: str) -> str:
        """A setting of the stack by its variable, a URL without a slash at its end."""
        return self.environment[name].rstrip("/")

    def manage(self, *arguments: str, text: str = "") -> str:
        """Run a command of manage.py, `text` on its standard input; returns its output; StackError if it fails."""
        done = self.try_manage(*arguments, text=text)
        if done.returncode:
            said = (done.stdout + done.stderr).strip()
            raise StackError(f"manage.py {' '.join(arguments)} failed:\n{said}")
        return done.stdout

    def try_manage(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """The same, whatever its exit code."""
        command = [sys.executable, "-P", str(ROOT / "manage.py"), *arguments]
        return subprocess.run(command, env=dict(self.environment), input=text, capture_output=True, text=True)
