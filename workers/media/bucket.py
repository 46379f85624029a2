"""A video's files in a bucket of an object storage (storing.py says what they are).

A bucket knows no folders, and nothing in it can be renamed: an object that is put last says that all others of its
folder are there. ffmpeg works on files, so a node fetches a source once, for all its processes, into
MEDIA_ROOT/scratch, where it also has its desks.
"""

import fcntl
import mimetypes
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage, storages

from orders.providers.failures import Transient
from shop.videos.models import Video
from workers.media.leases import MediaLease
from workers.media.storing import MASTER, Store, while_beating

T = TypeVar("T")

# What the bucket is told of our files, where Python does not know it by itself.
for _ending, _type in (
    (".m4s", "video/mp4"),
    (".m3u8", "application/vnd.apple.mpegurl"),
    (".vtt", "text/vtt"),
):
    mimetypes.add_type(_type, _ending)

_WHOLE = "whole"  # the object that says that all others of its folder are there


class BucketStore(Store):
    """In a bucket."""

    def __init__(self, video: Video, lease: MediaLease) -> None:
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
                self._ask(lambda: _fetch(self._private, self.video.source, fetched))
                fetched.rename(file)
        return file

    def has(self, number: int) -> bool:
        return self._ask(lambda: self._private.exists(f"{self._segment(number)}/{_WHOLE}"))

    def keep(self, number: int, folder: Path) -> None:
        self._ask(lambda: _put_all(self._private, folder, self._segment(number), ""))
        mark = folder / _WHOLE
        mark.touch()
        self._ask(lambda: _put(self._private, mark, f"{self._segment(number)}/{_WHOLE}"))

    def part(self, number: int, name: str, desk: Path, /) -> Path:
        file = desk / "part"  # one at a time
        self._ask(lambda: _fetch(self._private, f"{self._segment(number)}/{name}", file))
        return file

    def is_published(self) -> bool:
        return self._ask(lambda: self._public.exists(f"{self.folder}/{MASTER}"))

    def publish(self, folder: Path) -> None:
        self._ask(lambda: _put_all(self._public, folder, self.folder, MASTER))
        self._ask(lambda: _put(self._public, folder / MASTER, f"{self.folder}/{MASTER}"))

    def clear(self, *, public: bool) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._ask(lambda: _delete_all(self._private, self.folder))
        if public:
            self._ask(lambda: _delete_all(self._public, self.folder))

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

    def _ask(self, work: Callable[[], T]) -> T:
        """Ask the bucket, which may take long. Raises Transient when it is away, and what it says when it refuses."""
        try:
            return while_beating(self.lease, work)
        except BotoCoreError as error:
            raise Transient(f"the bucket does not answer: {error}") from error
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if status >= 500 or status == 429:
                raise Transient(f"the bucket is overloaded: {error}") from error
            raise


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
