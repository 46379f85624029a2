"""`python -m tests.keeping up FOLDER PORT`: a whole stack in a folder of its own, started by a process that ends.

Tests start their stack in this way, because the process manager goes on when whoever started it has ended.
"""

import sys
from pathlib import Path

from stack import life
from stack.environment import Stack
from stack.layout import Layout

if __name__ == "__main__":
    raise SystemExit(life.up(Stack.at(Layout(Path(sys.argv[2])), int(sys.argv[3])), detach=True))
