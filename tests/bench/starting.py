"""`./dev bench` as a person starts it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from stack.layout import ROOT

SECONDS = 600  # for any of them, on a busy machine


def short_bench(file: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    """Run its short form; returns the figures that it wrote into `file`, and what it printed. It has to succeed, with
    nothing wrong."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bench", *arguments, "--short", "--json", str(file)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(file.read_text())
    assert found["problems"] == []
    return found, done.stdout
