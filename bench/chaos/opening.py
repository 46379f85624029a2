"""`python -m bench.chaos.opening FOLDER PORT`: opens the house of a campaign, and ends when it is ready."""

import sys
from pathlib import Path

from bench.chaos.house import ProxiedStack
from stack import life
from stack.layout import Layout

if __name__ == "__main__":
    raise SystemExit(life.up(ProxiedStack.at(Layout(Path(sys.argv[1])), int(sys.argv[2])), detach=True))
