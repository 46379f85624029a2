"""Where a video's files lie, be it on a disk that all workers see or in a bucket: the one place that knows.

    private   videos/<token>/source               what was uploaded
              videos/<token>/work/00001/…         a finished segment, whole or not there
    public    videos/<token>/…                    what is published, whole or not there

On a disk a folder becomes whole by one rename. What is another in a bucket is told in bucket.py.
"""

import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TypeVar

from django.core.files.storage import storages
from django.utils.module_loading import import_string

from shop.videos.models import Video
from workers.media.leases import MediaLease

T = TypeVar("T")

MASTER = "master.m3u8"  # where this is published, all is
_SECOND = 1.0


class Store(ABC):
    """The files of one video, for whoever holds this lease."""

    def __init__(self, video: Video, lease: MediaLease) -> None:
        self.video, self.lease = video, lease
        self.folder = f"videos/{video.token}"

    @contextmanager
    def desk(self, name: str) -> Iterator[Path]:
        """A folder to work in, gone at the end; whatever a predecessor left under this name is gone before."""
        room = self._room()
        room.mkdir(parents=True, exist_ok=True)
        for left in room.glob(f".{name}-*"):
            shutil.rmtree(left, ignore_errors=True)  # its owner, if it lives after all, has lost its row
        mine = room / f".{name}-{self.lease.holder}"
        mine.mkdir()
        try:
            yield mine
        finally:
            shutil.rmtree(mine, ignore_errors=True)

    @abstractmethod
    def source(self) -> Path:
        """The uploaded file."""

    @abstractmethod
    def has(self, number: int) -> bool:
        """Whether this segment's result is there, whole."""

    @abstractmethod
    def keep(self, number: int, folder: Path) -> None:
        """Make all files of the folder this segment's result, at once."""

    @abstractmethod
    def part(self, number: int, name: str, desk: Path, /) -> Path:
        """A file of this segment's result; it may lie on the desk, and there only until the next is asked for."""

    @abstractmethod
    def is_published(self) -> bool: ...

    @abstractmethod
    def publish(self, folder: Path) -> None:
        """Make all files of the folder public, at once."""

    @abstractmethod
    def clear(self, *, public: bool) -> None:
        """Throw away the source and all work, and what is `public` too."""

    @abstractmethod
    def _room(self) -> Path:
        """Where desks stand."""


def store_of(video: Video, lease: MediaLease) -> Store:
    """The files of this video, wherever they lie."""
    try:
        storages["default"].path(video.source or "any")
    except NotImplementedError:
        # By its name: whoever has a disk need not load what speaks with buckets.
        bucket: type[Store] = import_string("workers.media.bucket.BucketStore")
        return bucket(video, lease)
    return DiskStore(video, lease)


class DiskStore(Store):
    """On a disk that every worker and the web see under MEDIA_ROOT."""

    def __init__(self, video: Video, lease: MediaLease) -> None:
        super().__init__(video, lease)
        self._private = Path(storages["default"].path(self.folder))
        self._public = Path(storages["public"].path(self.folder))

    def source(self) -> Path:
        return Path(storages["default"].path(self.video.source))

    def has(self, number: int) -> bool:
        return self._segment(number).is_dir()

    def keep(self, number: int, folder: Path) -> None:
        _to_disk(folder, self.lease)
        try:
            folder.rename(self._segment(number))
        except OSError:
            if not self.has(number):  # else somebody whom we took for dead was quicker, with the same
                raise
        _sync(self._room())

    def part(self, number: int, name: str, _desk: Path, /) -> Path:
        return self._segment(number) / name

    def is_published(self) -> bool:
        return (self._public / MASTER).is_file()

    def publish(self, folder: Path) -> None:
        _to_disk(folder, self.lease)
        self._public.parent.mkdir(parents=True, exist_ok=True)
        beside = self._beside()
        shutil.rmtree(beside, ignore_errors=True)
        # A rename where it is the same disk; a copy where it is not, and then a rename.
        while_beating(self.lease, lambda: shutil.move(folder, beside))
        beside.rename(self._public)
        _sync(self._public.parent)

    def clear(self, *, public: bool) -> None:
        for folder in (self._private, *((self._public, self._beside()) if public else ())):
            if folder.exists():
                while_beating(self.lease, lambda folder=folder: shutil.rmtree(folder))  # type: ignore[misc]

    def _room(self) -> Path:
        return self._private / "work"

    def _segment(self, number: int) -> Path:
        return self._room() / f"{number:05d}"

    def _beside(self) -> Path:
        return self._public.with_name(f".{self._public.name}")


def while_beating(lease: MediaLease, work: Callable[[], T]) -> T:
    """Do what may take long, and say each second that the row is still held. Raises what `work` or a beat raises."""
    doing = _thread().submit(work)
    try:
        while not wait([doing], timeout=_SECOND).done:
            lease.tick()
    finally:
        wait([doing])
    return doing.result()


@cache
def _thread() -> ThreadPoolExecutor:
    """One a process, made after its fork, and idle while anything else runs: a bucket's client is made for each thread
    anew, which costs more than most of what it is then asked."""
    return ThreadPoolExecutor(1, "storing")


def _to_disk(folder: Path, lease: MediaLease) -> None:
    """All files of the folder are on the disk, not merely with the kernel."""
    for file in folder.iterdir():
        while_beating(lease, lambda file=file: _sync(file))  # type: ignore[misc]
    _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
