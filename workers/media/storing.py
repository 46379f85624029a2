"""Where a video's files lie, be it on a disk that all workers see or in a bucket: the one place that knows.

    private   videos/<token>/source               what was uploaded
              videos/<token>/work/00001/…         a finished segment, whole or not there
    public    videos/<token>/…                    what is published, whole or not there

On a disk a folder becomes whole by one rename. A bucket knows no folders: there an object that is put last says so.
ffmpeg works on files, so with a bucket a node fetches a source once, for all its processes, into MEDIA_ROOT/scratch.
"""

import fcntl
import mimetypes
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage, storages

from shop.videos.models import Video
from workers.media.leases import Lease

# What a bucket is told of our files, where Python does not know it by itself.
for _ending, _type in (
    (".m4s", "video/mp4"),
    (".m3u8", "application/vnd.apple.mpegurl"),
    (".vtt", "text/vtt"),
):
    mimetypes.add_type(_type, _ending)

_WHOLE = "whole"  # the object of a bucket that says that all others of its folder are there
MASTER = "master.m3u8"  # ... and the one of a published folder
_SECOND = 1.0


class Store(ABC):
    """The files of one video, for whoever holds this lease."""

    def __init__(self, video: Video, lease: Lease) -> None:
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


def store_of(video: Video, lease: Lease) -> Store:
    """The files of this video, wherever they lie."""
    try:
        storages["default"].path(video.source or "any")
    except NotImplementedError:
        return BucketStore(video, lease)
    return DiskStore(video, lease)


class DiskStore(Store):
    """On a disk that every worker and the web see under MEDIA_ROOT."""

    def __init__(self, video: Video, lease: Lease) -> None:
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


class BucketStore(Store):
    """In a bucket; each node has a folder for what it needs as a file."""

    def __init__(self, video: Video, lease: Lease) -> None:
        super().__init__(video, lease)
        self._private, self._public = storages["default"], storages["public"]
        self._scratch = Path(settings.MEDIA_ROOT, "scratch", str(video.token))

    def source(self) -> Path:
        """Fetched by the first process of this node that asks; the others wait for it."""
        self._sweep()
        self._scratch.mkdir(parents=True, exist_ok=True)
        file = self._scratch / "source"
        with (self._scratch / "lock").open("w") as lock:
            while_beating(self.lease, lambda: fcntl.flock(lock, fcntl.LOCK_EX))
            if not file.exists():
                fetched = self._scratch / "fetching"
                while_beating(self.lease, lambda: _fetch(self._private, self.video.source, fetched))
                fetched.rename(file)
        return file

    def has(self, number: int) -> bool:
        return self._private.exists(f"{self._segment(number)}/{_WHOLE}")

    def keep(self, number: int, folder: Path) -> None:
        while_beating(self.lease, lambda: _put_all(self._private, folder, self._segment(number), ""))
        mark = folder / _WHOLE
        mark.touch()
        _put(self._private, mark, f"{self._segment(number)}/{_WHOLE}")

    def part(self, number: int, name: str, desk: Path, /) -> Path:
        file = desk / "part"  # one at a time
        while_beating(self.lease, lambda: _fetch(self._private, f"{self._segment(number)}/{name}", file))
        return file

    def is_published(self) -> bool:
        return self._public.exists(f"{self.folder}/{MASTER}")

    def publish(self, folder: Path) -> None:
        while_beating(self.lease, lambda: _put_all(self._public, folder, self.folder, MASTER))
        _put(self._public, folder / MASTER, f"{self.folder}/{MASTER}")

    def clear(self, *, public: bool) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)
        while_beating(self.lease, lambda: _delete_all(self._private, self.folder))
        if public:
            while_beating(self.lease, lambda: _delete_all(self._public, self.folder))

    def _room(self) -> Path:
        return self._scratch

    def _segment(self, number: int) -> str:
        return f"{self.folder}/work/{number:05d}"

    def _sweep(self) -> None:
        """Throw away what this node has fetched of videos that are not under way any more."""
        here = {path.name for path in self._scratch.parent.glob("*")}
        wanted = Video.objects.filter(token__in=here, state__in=Video.UNDER_WAY).values_list(
            "token", flat=True
        )
        for name in here - {str(token) for token in wanted}:
            shutil.rmtree(self._scratch.parent / name, ignore_errors=True)


def while_beating(lease: Lease, work: Callable[[], object]) -> None:
    """Do what may take long, and say each second that the row is still held. Raises what `work` or a beat raises."""
    doing = _thread().submit(work)
    try:
        while not wait([doing], timeout=_SECOND).done:
            lease.tick()
    finally:
        wait([doing])
    doing.result()


@cache
def _thread() -> ThreadPoolExecutor:
    """One a process, made after its fork, and idle while anything else runs: a bucket's client is made for each thread
    anew, which costs more than most of what it is then asked."""
    return ThreadPoolExecutor(1, "storing")


def _to_disk(folder: Path, lease: Lease) -> None:
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


def _fetch(storage: Storage, name: str, target: Path) -> None:
    with storage.open(name) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, 1 << 22)


def _put(storage: Storage, file: Path, name: str) -> None:
    with file.open("rb") as content:
        storage.save(name, File(content))


def _put_all(storage: Storage, folder: Path, name: str, but: str) -> None:
    for file in sorted(folder.iterdir()):
        if file.name != but:
            _put(storage, file, f"{name}/{file.name}")


def _delete_all(storage: Storage, folder: str) -> None:
    """Everything under this folder; what says that it is whole goes first."""
    folders, files = storage.listdir(folder)
    for file in sorted(files, key=lambda file: file not in (_WHOLE, MASTER)):
        storage.delete(f"{folder}/{file}")
    for inner in folders:
        _delete_all(storage, f"{folder}/{inner}")
