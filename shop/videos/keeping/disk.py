"""Uploads in a folder: one file each, written in place and renamed when it is complete.

A piece counts once it is on the disk (fsync), and so does a name (fsync of its folder): the row that is written next
must never know more than the disk does after a power cut.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from django.core.files.storage import FileSystemStorage

from shop.videos.keeping import names
from shop.videos.keeping.lost import Lost
from shop.videos.models import Upload


class Disk:
    def __init__(self, storage: FileSystemStorage) -> None:
        self._storage = storage

    def write(self, upload: Upload, pieces: Iterable[bytes]) -> int:
        path = self._path(names.incoming(upload.token))
        made = 0
        if upload.offset == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
            made = os.O_CREAT
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | made, 0o644)
        except FileNotFoundError:
            raise Lost(f"{path} is not there") from None
        # Unbuffered: what is written is handed to the system at once, and nothing is copied once more.
        with open(descriptor, "wb", buffering=0) as file:  # noqa: PTH123 - a descriptor and no path
            if (kept := os.fstat(descriptor).st_size) < upload.offset:
                raise Lost(f"{path} has {kept:,} bytes, and {upload.offset:,} had arrived")
            file.seek(upload.offset)
            for piece in pieces:
                view = memoryview(piece)
                while view:
                    view = view[file.write(view) :]
            end = file.tell()
            os.fsync(descriptor)
        if made:
            _settle(path.parent)
        return end

    def deliver(self, upload: Upload) -> str:
        name = names.source(upload.token)
        here, there = self._path(names.incoming(upload.token)), self._path(name)
        there.parent.mkdir(parents=True, exist_ok=True)
        if here.exists():
            here.replace(there)
            for folder in (there.parent, there.parent.parent, here.parent):
                _settle(folder)
        # Else somebody was here before us, and died before it was written down.
        if not there.exists() or (kept := there.stat().st_size) < upload.size:
            raise Lost(f"of {upload.size:,} bytes of {there} {kept if there.exists() else 0:,} are there")
        return name

    def drop(self, token: UUID) -> None:
        self._path(names.incoming(token)).unlink(missing_ok=True)

    def free(self) -> int:
        root = self._path("")
        root.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(root).free

    def _path(self, name: str) -> Path:
        return Path(self._storage.path(name))


def _settle(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
