"""`./dev mutants`: break the shop on purpose, in a scratch copy, and see that the suite notices.

A mutant is a patch in tests/chaos/mutants that takes one safeguard away. What must catch it stands in the patch's head,
above its first `diff` line, where `git apply` does not look:

    Breaks: what is taken away, and what would come of it
    Run: tests/chaos/test_steps_that_die.py -k charge.after_call

Those tests are run in the copy before the patch and after it: they must pass, and then fail. A test that fails for both
proves nothing.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from bench.chaos import report
from bench.cli import Json, command
from bench.display import note
from bench.isolated_stack import scratch_folder
from stack.layout import ROOT
from stack.program import StackError

PATCHES = ROOT / "tests" / "chaos" / "mutants"
_FAILED = re.compile(r"^(?:FAILED|ERROR) \S+?::(\S+)(?: - (.*))?$", re.MULTILINE)
_TESTS_FAILED = 1  # pytest's exit code; others mean that it did not come to testing
# Of the stack, if there is one: a copy's tests start servers of their own.
_NOT_HANDED_ON = ("DATABASE_URL", "BROKER_URL")


@dataclass(frozen=True, slots=True)
class Mutant:
    name: str
    breaks: str
    run: str
    patch: Path

    @classmethod
    def read(cls, patch: Path) -> "Mutant":
        head = patch.read_text(encoding="utf-8").partition("\ndiff ")[0]
        fields = dict(re.findall(r"^(\w+): (.*(?:\n  .*)*)", head, re.MULTILINE))
        try:
            breaks, run = (" ".join(fields[name].split()) for name in ("Breaks", "Run"))
        except KeyError as missing:
            raise StackError(f"{patch} has no line that begins with {missing.args[0]}: in its head") from None
        return cls(patch.stem, breaks, run, patch)


@dataclass(frozen=True, slots=True)
class Found:
    """`by` are the tests that failed with the mutant and pass without; `saying` is what each printed."""

    mutant: str
    breaks: str
    caught: bool
    by: list[str]
    saying: list[str]


def mutants() -> list[Mutant]:
    return [Mutant.read(patch) for patch in sorted(PATCHES.glob("*.patch"))]


def copy_to(folder: Path) -> None:
    """The checkout as it stands, without what git ignores, as a repository of its own."""
    listed = _git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():  # one that was removed and not committed yet is listed too
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    _git(folder, "init", "--quiet")


def applies(mutant: Mutant, folder: Path = ROOT) -> str:
    """ "" if the patch fits the code in the folder, else what git says."""
    done = subprocess.run(
        ["git", "apply", "--check", str(mutant.patch)], cwd=folder, capture_output=True, text=True
    )
    return done.stderr.strip() if done.returncode else ""


def try_out(mutant: Mutant, folder: Path) -> Found:
    """Run its tests without it and with it, in the copy; leaves the copy as it was."""
    if problem := applies(mutant, folder):
        raise StackError(
            f"the mutant {mutant.name} does not fit the code any more:\n{problem}\n"
            f"Make the same change again and write it to {mutant.patch} with `git diff`."
        )
    sound = _tests(mutant, folder)
    if sound.returncode:
        raise StackError(
            f"what should catch {mutant.name} fails without it already:\n{sound.stdout[-3000:]}{sound.stderr[-1000:]}"
        )
    _git(folder, "apply", str(mutant.patch))
    try:
        broken = _tests(mutant, folder)
    finally:
        _git(folder, "apply", "--reverse", str(mutant.patch))
    failed = _FAILED.findall(broken.stdout)
    by, saying = [name for name, _ in failed], [said for _, said in failed]
    return Found(mutant.name, mutant.breaks, broken.returncode == _TESTS_FAILED and bool(by), by, saying)


def _tests(mutant: Mutant, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key not in _NOT_HANDED_ON}
    pytest = [sys.executable, "-P", "-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*pytest, *shlex.split(mutant.run)],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise StackError(f"git {arguments[0]} failed in {folder}: {done.stderr.strip()}")
    return done.stdout


@command
def main(
    names: Annotated[list[str] | None, typer.Argument(help="Only these mutants.")] = None,
    json: Json = None,
) -> int:
    """Break the shop in a scratch copy, one safeguard at a time: does the suite bite? Exits 1 when it does not."""
    known = {mutant.name: mutant for mutant in mutants()}
    if unknown := set(names or ()) - known.keys():
        raise StackError(f"there is no mutant {', '.join(sorted(unknown))}. There are: {', '.join(known)}")
    found = []
    with scratch_folder("mutants-") as folder:
        copy_to(folder)
        for mutant in known.values():
            if not names or mutant.name in names:
                note(f"{mutant.name} …")
                found.append(try_out(mutant, folder))
    missed = [f"No test caught {one.mutant}." for one in found if not one.caught]
    return report.show([asdict(one) for one in found], missed, json)


if __name__ == "__main__":
    main()
