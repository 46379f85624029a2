"""A file that is interrupted five times arrives whole, and no process holds it in its memory: the short form of
`./dev bench --only upload`, started as a person does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import uploading
from sandbox.stack.layout import ROOT

pytestmark = pytest.mark.acceptance
SECONDS = 300  # for all of it, on a busy machine


def test_interrupted_five_times_it_arrives_whole(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bench", "--only", "upload", "--short", "--json", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(file.read_text())
    assert found["problems"] == []
    assert len({one["what"] for one in found["interrupted"]}) == 5
    # It was struck in the middle: more was on the disk than was counted, and what was not counted was sent again.
    assert any(one["written_beyond"] for one in found["interrupted"])
    for one in found["interrupted"]:
        assert one["at"] <= one["goes_on_at"] <= one["at"] + uploading.PIECE
    assert set(found["memory"]) == {*uploading.PROGRAMS, "the sender"}
    assert found["most_memory"] < uploading.MOST_MEMORY
