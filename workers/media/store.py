"""Where a video's files are: on a disk that all workers see, or in a bucket. Only a Store knows which.

    private   videos/<token>/source               the uploaded file
              videos/<token>/work/00001/…         a finished segment, complete or absent
    public    videos/<token>/…                    the published files, complete or absent

On a disk a folder appears complete by one rename. bucket.py says how a bucket does it.
"""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

from django.core.files.storage import FileSystemStorage, storages
from django.utils.module_loading import import_string

from shop.videos import files
from shop.videos.models import Video
from workers.media.leases import MediaLease

T = TypeVar("T")

_SECOND = 1.0


class Store(ABC):
    """The files of one video, for the holder of this lease."""

    def __init__(self, video: Video, lease: MediaLease) -> None:
        self.video, self.lease = video, lease
        self.folder = files.folder(video.token)

    @contextmanager
    def workspace(self, name: str) -> Iterator[Path]:
        """An empty temporary folder, deleted at the end. What an earlier holder left under this name is deleted too."""
        parent = self._workspaces()
        parent.mkdir(parents=True, exist_ok=True)
        for left in parent.glob(f".{name}-*"):
            shutil.rmtree(left, ignore_errors=True)  # its owner, even if alive, has lost its row
        folder = parent / f".{name}-{self.lease.holder}"
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @abstractmethod
    def source(self) -> Path:
        """The uploaded file."""

    @abstractmethod
    def has(self, number: int) -> bool:
        """Whether the complete result of this segment is there."""

    @abstractmethod
    def save(self, number: int, folder: Path) -> None:
        """Make all files of the folder the result of this segment, at once."""

    @abstractmethod
    def segment_file(self, number: int, name: str, workspace: Path, /) -> Path:
        """A file of this segment's result. It may be in the workspace, until the next file is asked for."""

    @abstractmethod
    def is_published(self) -> bool: ...

    @abstractmethod
    def publish(self, folder: Path) -> None:
        """Make all files of the folder public, at once."""

    @abstractmethod
    def clear(self, *, public: bool) -> None:
        """Delete the source and all segments; with `public`, what is published too."""

    @abstractmethod
    def _workspaces(self) -> Path:
        """The folder for workspaces."""


def store_of(video: Video, lease: MediaLease) -> Store:
    """The store of this video's files."""
    if isinstance(storages["default"], FileSystemStorage):
        return DiskStore(video, lease)
    # Imported by name, because a bucket's client takes memory that a node with a disk does not need.
    bucket: type[Store] = import_string("workers.media.bucket.BucketStore")
    return bucket(video, lease)


class DiskStore(Store):
    """On a disk that every worker and the web see under MEDIA_ROOT."""

    def __init__(self, video: Video, lease: MediaLease) -> None:
        super().__init__(video, lease)
        self._private = Path(storages["default"].path(self.folder))
        self._public = Path(storages["public"].path(self.folder))
        self._staging = self._public.with_name(f".{self._public.name}")

    def source(self) -> Path:
        return Path(storages["default"].path(self.video.source))

    def has(self, number: int) -> bool:
        return self._segment(number).is_dir()

    def save(self, number: int, folder: Path) -> None:
        self._sync_all(folder)
        try:
            folder.rename(self._segment(number))
        except OSError:
            if not self.has(number):  # else a holder that seemed dead was quicker, with the same result
                raise
        files.sync(self._workspaces())

    def segment_file(self, number: int, name: str, _workspace: Path, /) -> Path:
        return self._segment(number) / name

    def is_published(self) -> bool:
        return (self._public / files.MASTER).is_file()

    def publish(self, folder: Path) -> None:
        self._sync_all(folder)
        self._public.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._staging, ignore_errors=True)
        # On the same disk this is a rename, on another one a copy; the second rename makes it public at once.
        while_beating(self.lease, partial(shutil.move, folder, self._staging))
        self._staging.rename(self._public)
        files.sync(self._public.parent)

    def clear(self, *, public: bool) -> None:
        for folder in (self._private, *((self._public, self._staging) if public else ())):
            if folder.exists():
                while_beating(self.lease, partial(shutil.rmtree, folder))

    def _workspaces(self) -> Path:
        return self._private / "work"

    def _segment(self, number: int) -> Path:
        return self._workspaces() / f"{number:05d}"

    def _sync_all(self, folder: Path) -> None:
        """Wait until all files of the folder are on the disk."""
        for path in (*folder.iterdir(), folder):
            while_beating(self.lease, partial(files.sync, path))


def while_beating(lease: MediaLease, work: Callable[[], T]) -> T:
    """Do what may take long, and extend the lease each second. Raises what `work` or a beat raises."""
    doing = _thread().submit(work)
    try:
        while not wait([doing], timeout=_SECOND).done:
            lease.tick()
    finally:
        wait([doing])
    return doing.result()


@cache
def _thread() -> ThreadPoolExecutor:
    """One for each process, made after its fork. It is kept because a bucket's client is made anew for each thread,
    which costs more than most requests."""
    return ThreadPoolExecutor(1, "store")
