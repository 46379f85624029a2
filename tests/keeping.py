"""`python -m tests.keeping up FOLDER PORT`: a whole stack in a folder of its own, started by a process that ends.

Tests start their stack in this way, because the process manager goes on when whoever started it has ended.
"""

import sys
from pathlib import Path

from stack import life
from stack.environment import Secrets, Stack
from stack.layout import Layout
from stack.ports import Ports


def stack_in(folder: Path, port: int) -> Stack:
    """The stack of this folder; its secrets are drawn by whoever asks first."""
    layout = Layout(folder)
    return Stack(layout, Ports.block(port), Secrets.of(layout))


if __name__ == "__main__":
    raise SystemExit(life.up(stack_in(Path(sys.argv[2]), int(sys.argv[3])), detach=True))
