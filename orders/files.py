"""Files that no web server publishes: invoices and printouts. They lie under MEDIA_ROOT, known by their names there.

A file gets its name when all of it is on the disk, so a name means a whole file.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from django.conf import settings


def path_of(name: str) -> Path:
    return Path(settings.MEDIA_ROOT, name)


def put(name: str, content: bytes) -> None:
    """Put the file in place whole. Raises OSError."""
    with putting(name) as file:
        file.write(content)


@contextmanager
def putting(name: str) -> Iterator[BinaryIO]:
    """A file to write to, which gets its name when the block ends, and is deleted when the block fails."""
    path = path_of(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-")
    try:
        os.fchmod(handle, 0o644)  # nginx, which hands it out, is another user
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(handle)
        Path(fresh).replace(path)
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise
