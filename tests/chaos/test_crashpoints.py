"""Crash points: off and free in production; when on, each token is taken exactly once, and written down first."""

import ast
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from orders import crashpoints
from orders.crashpoints import HITS, VARIABLE, Armed, Crash, Point
from stack.layout import ROOT

REACH = (
    "from orders.crashpoints import Point, reached; reached(Point.CHARGE_AFTER_CALL, [17]); print('alive')"
)


def reach(folder: Path, script: str = REACH) -> subprocess.CompletedProcess[str]:
    """A process that comes by a point, with the crash points on."""
    environment = {**os.environ, VARIABLE: str(folder), "PGAPPNAME": "payment", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60
    )


def hits(folder: Path) -> list[dict[str, object]]:
    file = folder / HITS
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def called() -> Counter[str]:
    """The points at which the product calls `reached`, by the name of the registry's member."""
    found: Counter[str] = Counter()
    for room in ("orders", "shop", "workers"):
        for path in (ROOT / room).rglob("*.py"):
            if path == Path(crashpoints.__file__) or "node_modules" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Name)
                    and node.func.id == "reached"
                ):
                    point = node.args[0]
                    assert isinstance(point, ast.Attribute), f"{path}: a point is named in full"
                    found[point.attr] += 1
    return found


def test_every_point_stands_somewhere_and_only_once() -> None:
    assert called() == Counter(point.name for point in Point)


def test_off_it_is_a_function_that_does_nothing() -> None:
    assert crashpoints.reached is crashpoints._off
    assert VARIABLE not in os.environ


def test_a_process_dies_where_a_token_lies_and_says_so_first(tmp_path: Path) -> None:
    (tmp_path / Point.CHARGE_AFTER_CALL).write_text("kill")
    done = reach(tmp_path)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "")
    [hit] = hits(tmp_path)
    assert (hit["point"], hit["process"], hit["orders"]) == ("charge.after_call", "payment", [17])
    assert [file.name for file in tmp_path.iterdir()] == [HITS]  # the token is spent


def test_without_a_token_it_goes_on(tmp_path: Path) -> None:
    (tmp_path / Point.CHARGE_AFTER_ROW).write_text("kill")
    assert reach(tmp_path).stdout == "alive\n"
    assert not hits(tmp_path)


def test_the_parent_dies_and_the_child_goes_on(tmp_path: Path) -> None:
    (tmp_path / Point.CHARGE_AFTER_CALL).write_text("kill-parent")
    script = (
        "import os, sys\n"
        "if os.fork(): os.wait(); sys.exit(0)\n"
        f"{REACH}; open({str(tmp_path / 'child')!r}, 'w').close()\n"
    )
    assert reach(tmp_path, script).returncode == -signal.SIGKILL
    assert len(hits(tmp_path)) == 1


def test_of_many_at_once_one_is_hit(tmp_path: Path) -> None:
    script = (
        "import os, time\nfrom orders.crashpoints import Point, reached\n"
        f"go = {str(tmp_path / 'go')!r}\n"
        "print('ready', flush=True)\n"
        "while not os.path.exists(go): pass\n"
        "reached(Point.CHARGE_AFTER_CALL)\n"
    )
    environment = {**os.environ, VARIABLE: str(tmp_path), "PYTHONPATH": str(ROOT)}
    (tmp_path / Point.CHARGE_AFTER_CALL).write_text("kill")
    crowd = [
        subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    for one in crowd:
        assert one.stdout
        assert one.stdout.readline() == b"ready\n"
    (tmp_path / "go").touch()
    ends = []
    for one in crowd:
        one.communicate(timeout=60)
        ends.append(one.returncode)
    assert sorted(ends) == [-signal.SIGKILL, 0, 0, 0]


def test_a_token_may_stand_for_a_bug(tmp_path: Path) -> None:
    (tmp_path / Point.CHARGE_AFTER_CALL).write_text("raise")
    with pytest.raises(Crash, match=r"charge\.after_call"):
        Armed(tmp_path)(Point.CHARGE_AFTER_CALL)
