"""Servers that hang: stopped in the middle of what they do, with their sockets open, and made to go on."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """This process and all its children say nothing (SIGSTOP); PostgreSQL's are each of a group of their own."""
    parent = psutil.Process(pid)
    parent.suspend()  # first, so that it gets no further children
    stopped = [parent, *parent.children(recursive=True)]
    try:
        for process in stopped[1:]:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        yield
    finally:
        for process in reversed(stopped):
            with suppress(psutil.NoSuchProcess):
                process.resume()
