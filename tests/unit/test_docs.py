"""The documentation against the code: every hop of "follow one order" exists, and every file that a page names."""

import ast
import re
from pathlib import Path

import pytest

from stack.layout import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
# A path in backticks that begins with one of our rooms and is a file: `orders/lease.py`, `deploy/alarms.yml`.
FILE = re.compile(r"`((?:shop|orders|workers|sandbox|stack|bench|deploy|tests|docs)/[\w./-]+\.\w+)`")
MODULE = re.compile(r"`((?:shop|orders|workers|sandbox|stack|bench)(?:\.[a-z_]+)+)`")
LINK = re.compile(r"\]\(([\w./-]+\.md)(#[\w-]+)?\)")


def hops() -> list[tuple[str, str]]:
    """(file, function) of each hop of the tables in "Follow one order"."""
    page = (ROOT / "docs/architecture.md").read_text()
    chapter = page.partition("## Follow one order")[2].partition("\n## ")[0]
    return re.findall(r"\| `([\w/]+\.py)` \| `([\w.]+)` \|", chapter)


def test_there_is_a_hop_for_each_step_of_the_way() -> None:
    files = [file for file, _ in hops()]
    assert len(files) > 20
    assert files.index("orders/placing.py") < files.index("workers/relay/dispatcher.py")
    assert files.index("workers/relay/dispatcher.py") < files.index("orders/closing.py")


@pytest.mark.parametrize(("file", "function"), hops())
def test_each_hop_is_in_the_code(file: str, function: str) -> None:
    found: list[ast.AST] = [ast.parse((ROOT / file).read_text())]
    for name in function.split("."):
        found = [
            child
            for node in found
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and child.name == name
        ]
    assert found, f"{file} has no {function}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    missing = [name for name in FILE.findall(text) if not list(ROOT.glob(name))]
    missing += [name for name in MODULE.findall(text) if not is_module(name)]
    missing += [name for name, _ in LINK.findall(text) if not (page.parent / name).is_file()]
    assert missing == []


def is_module(name: str) -> bool:
    """`workers.metrics` or `orders.scheduling.claim`: a module or package, or one with a name in it."""
    for parts in (name.split("."), name.split(".")[:-1]):
        path = ROOT.joinpath(*parts)
        if path.is_dir() or path.with_suffix(".py").is_file():
            return True
    return False
