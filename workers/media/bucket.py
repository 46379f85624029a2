"""A video's files in a bucket of an object storage (store.py lists them).

A bucket has no folders and no renames: the object that is written last says that its folder is complete. ffmpeg needs
files, so a node downloads a source once, for all its processes, to MEDIA_ROOT/scratch, which also has the workspaces.
"""

import fcntl
import mimetypes
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage, storages

from orders.providers.failures import Transient
from shop.videos.files import MASTER
from shop.videos.models import Video
from workers.media.leases import MediaLease
from workers.media.store import Store, while_beating

T = TypeVar("T")

# Media types that Python does not know and the bucket has to be told.
for _type, _ending in (
    ("video/mp4", ".m4s"),
    ("application/vnd.apple.mpegurl", ".m3u8"),
    ("text/vtt", ".vtt"),
):
    mimetypes.add_type(_type, _ending)

_COMPLETE = "whole"  # the object that says that all others of its folder are there


class BucketStore(Store):
    """In a bucket."""

    def __init__(self, video: Video, lease: MediaLease) -> None:
        super().__init__(video, lease)
        self._private, self._public = storages["default"], storages["public"]
        self._scratch = Path(settings.MEDIA_ROOT, "scratch", str(video.token))

    def source(self) -> Path:
        """Downloaded by the first process of this node that asks; the others wait for it."""
        self._prune()
        self._scratch.mkdir(parents=True, exist_ok=True)
        file = self._scratch / "source"
        with (self._scratch / "lock").open("w") as lock:
            while_beating(self.lease, lambda: fcntl.flock(lock, fcntl.LOCK_EX))
            if not file.exists():
                partly = self._scratch / "fetching"
                self._request(partial(_download, self._private, self.video.source, partly))
                partly.rename(file)
        return file

    def has(self, number: int) -> bool:
        return self._request(partial(self._private.exists, f"{self._segment(number)}/{_COMPLETE}"))

    def save(self, number: int, folder: Path) -> None:
        (folder / _COMPLETE).touch()
        self._request(partial(_upload, self._private, folder, self._segment(number), last=_COMPLETE))

    def segment_file(self, number: int, name: str, workspace: Path, /) -> Path:
        file = workspace / "part"  # one at a time
        self._request(partial(_download, self._private, f"{self._segment(number)}/{name}", file))
        return file

    def is_published(self) -> bool:
        return self._request(partial(self._public.exists, f"{self.folder}/{MASTER}"))

    def publish(self, folder: Path) -> None:
        self._request(partial(_upload, self._public, folder, self.folder, last=MASTER))

    def clear(self, *, public: bool) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)
        for storage in (self._private, self._public) if public else (self._private,):
            self._request(partial(_delete, storage, self.folder))

    def _workspaces(self) -> Path:
        return self._scratch

    def _segment(self, number: int) -> str:
        return f"{self.folder}/work/{number:05d}"

    def _prune(self) -> None:
        """Delete what this node has downloaded of videos that are not being made any more."""
        here = {path.name for path in self._scratch.parent.glob("*")}
        needed = Video.objects.filter(token__in=here, state__in=Video.UNDER_WAY).values_list(
            "token", flat=True
        )
        for name in here - {str(token) for token in needed}:
            shutil.rmtree(self._scratch.parent / name, ignore_errors=True)

    def _request(self, work: Callable[[], T]) -> T:
        """Talk to the bucket, which may take long. Raises Transient when it does not answer or is overloaded, and its
        own errors when it refuses."""
        try:
            return while_beating(self.lease, work)
        except BotoCoreError as error:
            raise Transient(f"the bucket does not answer: {error}") from error
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if status >= 500 or status == 429:
                raise Transient(f"the bucket is overloaded: {error}") from error
            raise


def _download(storage: Storage, name: str, target: Path) -> None:
    with storage.open(name) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, 1 << 22)


def _upload(storage: Storage, folder: Path, name: str, last: str) -> None:
    """All files of the folder; `last` says that they are complete."""
    for file in sorted(folder.iterdir(), key=lambda file: (file.name == last, file)):
        with file.open("rb") as content:
            storage.save(f"{name}/{file.name}", File(content))


def _delete(storage: Storage, folder: str) -> None:
    """Everything in this folder; what says that it is complete goes first."""
    folders, names = storage.listdir(folder)
    for name in sorted(names, key=lambda name: name not in (_COMPLETE, MASTER)):
        storage.delete(f"{folder}/{name}")
    for inner in folders:
        _delete(storage, f"{folder}/{inner}")
