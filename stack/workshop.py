"""The tools of developers: linting, and locking the environment."""

import subprocess
import sys
from pathlib import Path

from stack.console import out
from stack.environment import Stack
from stack.layout import ROOT, STACK
from stack.ports import DEFAULT_BASE

BIN = Path(sys.executable).parent
LINTERS = (
    ("ruff", "check"),
    ("ruff", "format", "--check"),
    ("mypy", "."),
    ("lint-imports",),
)


FIXERS = (("ruff", "check", "--fix"), ("ruff", "format"))


def lint(*, fix: bool = False) -> int:
    """Run all linters, also when one has failed; returns 1 when any did. `fix` mends first what can be mended.

    With the stack's environment, because mypy's Django plugin reads the settings.
    """
    failed, environment = [], Stack.at(STACK, DEFAULT_BASE).environment()
    for program, *arguments in (*(FIXERS if fix else ()), *LINTERS):
        name = " ".join([program, *arguments])
        out.print(f"[bold]{name}[/bold]")
        if subprocess.run([BIN / program, *arguments], cwd=ROOT, env=environment).returncode:
            failed.append(name)
    out.print(f"[bold red]failed: {', '.join(failed)}[/bold red]" if failed else "[green]all clean[/green]")
    return 1 if failed else 0


def lock(*, upgrade: bool) -> int:
    """Resolve requirements.in for every platform and Python that we support, with the hash of every file."""
    done = subprocess.run(
        [BIN / "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11",
         "--generate-hashes", "--custom-compile-command", "./dev lock", *(["--upgrade"] if upgrade else []),
         "requirements.in", "--output-file", "requirements.txt"],
        cwd=ROOT,
    )  # fmt: skip
    if done.returncode == 0:
        out.print("requirements.txt is written; the next ./dev installs it.")
    return done.returncode
