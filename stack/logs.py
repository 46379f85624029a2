"""Shows the programs' logs, each line after the coloured name of its program."""

import time
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path

from rich.console import Console
from rich.text import Text

from stack.running import last_lines

COLOURS = "cyan green yellow blue magenta bright_cyan bright_green bright_yellow bright_blue"
POLL_SECONDS = 0.2


class Tail:
    """What is added to a growing file from now on; reads on when the process manager rotates it, at 20 MB."""

    def __init__(self, path: Path) -> None:
        self.path = path
        now = path.stat() if path.exists() else None
        self._inode, self._offset = (now.st_ino, now.st_size) if now else (0, 0)

    def new_lines(self) -> Iterator[str]:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return
        if status.st_ino != self._inode or status.st_size < self._offset:
            self._inode, self._offset = status.st_ino, 0
        if status.st_size == self._offset:
            return
        with self.path.open("rb") as file:
            file.seek(self._offset)
            block = file.read(status.st_size - self._offset)
        whole = block[: block.rfind(b"\n") + 1]  # the rest of the line is read next time
        self._offset += len(whole)
        yield from whole.decode(errors="replace").splitlines()


class Printer:
    """Writes lines with their prefix; colours stay with their name for as long as the set of names does."""

    def __init__(self, out: Console, names: Sequence[str]) -> None:
        self._out = out
        self._width = max(map(len, names), default=0)
        self._colours = dict(zip(names, cycle(COLOURS.split())))

    def line(self, name: str, text: str) -> None:
        prefix = Text(f"{name:<{self._width}} | ", style=self._colours.get(name, ""))
        self._out.print(prefix + Text.from_ansi(text), soft_wrap=True)


def show(out: Console, folder: Path, names: Sequence[str], lines: int) -> None:
    """The last lines of each of these logs."""
    printer = Printer(out, names)
    for name in names:
        if (path := folder / f"{name}.log").exists():
            for line in last_lines(path, lines).splitlines():
                printer.line(name, line)


def follow(out: Console, folder: Path, names: Sequence[str]) -> Iterator[None]:
    """Print what comes; yields after each look, so that the caller decides when to stop."""
    printer = Printer(out, names)
    tails = {name: Tail(folder / f"{name}.log") for name in names}
    while True:
        for name, tail in tails.items():
            for line in tail.new_lines():
                printer.line(name, line)
        yield
        time.sleep(POLL_SECONDS)
