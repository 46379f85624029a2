"""`./dev bench` as a person starts it, in its short form, in houses of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.stack.layout import ROOT

SECONDS = 300


@pytest.mark.acceptance
def test_the_bench_in_its_short_form(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bench", "--short", "--json", str(file)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(file.read_text())
    assert found["problems"] == []
    assert found["accepted"] == 200
    assert found["audit"]["clean"]
    for carried in found["backlog"].values():
        assert carried["ended"] == {"completed": 200}
        assert carried["floor"]["completed_per_s"] > carried["completed_per_s"]
    assert len(found["targets"]) == 4
    assert "target" in done.stdout
