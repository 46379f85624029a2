"""Uploads in a folder: one file each, written in place and renamed when it is complete.

Bytes count once they are on the disk (fsync), and so does a file's name (fsync of its folder): after a power cut the
row must never know more than the disk.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from django.core.files.storage import FileSystemStorage

from shop.videos import files
from shop.videos.models import Upload
from shop.videos.storage.base import MissingBytes


class DiskStorage:
    def __init__(self, storage: FileSystemStorage) -> None:
        self._storage = storage

    def write(self, upload: Upload, blocks: Iterable[bytes]) -> int:
        path = self._path(files.incoming(upload.token))
        create = 0 if upload.offset else os.O_CREAT
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | create, 0o644)
        except FileNotFoundError:
            raise MissingBytes(f"{path} does not exist") from None
        # Unbuffered: each block goes to the system at once, and nothing is copied twice.
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            if (size := os.fstat(descriptor).st_size) < upload.offset:
                raise MissingBytes(f"{path} has {size:,} bytes, and {upload.offset:,} had arrived")
            file.seek(upload.offset)
            for block in blocks:
                view = memoryview(block)
                while view:
                    view = view[file.write(view) :]
            end = file.tell()
            os.fsync(descriptor)
        if create:
            files.sync(path.parent)
        return end

    def complete(self, upload: Upload) -> str:
        name = files.source(upload.token)
        incoming, source = self._path(files.incoming(upload.token)), self._path(name)
        source.parent.mkdir(parents=True, exist_ok=True)
        if incoming.exists():
            incoming.replace(source)
            for folder in (source.parent, source.parent.parent, incoming.parent):
                files.sync(folder)
        # Otherwise another process has moved it and died before the row was written.
        if (size := source.stat().st_size if source.exists() else 0) < upload.size:
            raise MissingBytes(f"of {upload.size:,} bytes of {source} only {size:,} are there")
        return name

    def delete(self, token: UUID) -> None:
        self._path(files.incoming(token)).unlink(missing_ok=True)

    def free(self) -> int:
        root = self._path("")
        root.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(root).free

    def _path(self, name: str) -> Path:
        return Path(self._storage.path(name))
