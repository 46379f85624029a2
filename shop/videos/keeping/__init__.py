"""Where the bytes of an upload are kept while they come in, and how they become a video's source.

Two places, chosen by where Django's default storage is: a folder (disk.py) or a bucket (bucket.py). Neither knows how
much has arrived: that is in the upload's row, which is written after `write` has returned. So bytes may lie behind
the offset, of a process that died in between, and the next piece overwrites them.

A video has its upload's token, and so the file's place is known before it is complete, `deliver` can be repeated
until its result is written down, and a sender who lost the last answer finds out that all has arrived.
"""

from collections.abc import Iterable
from typing import Protocol
from uuid import UUID

from django.core.files.storage import FileSystemStorage, storages

from shop.videos.keeping.bucket import Bucket
from shop.videos.keeping.disk import Disk
from shop.videos.keeping.lost import Lost
from shop.videos.models import Upload

__all__ = ["Keeper", "Lost", "keeper"]


class Keeper(Protocol):
    def write(self, upload: Upload, pieces: Iterable[bytes]) -> int:
        """Keep these bytes from the upload's offset on; returns the new offset when they are safe. May set the
        upload's `multipart`. Raises Lost, OSError, and whatever `pieces` raises: then nothing counts as kept."""
        ...

    def deliver(self, upload: Upload) -> str:
        """Make the complete file the source of its video; returns its name in the storage. Repeating it is harmless.
        Raises Lost."""
        ...

    def drop(self, token: UUID) -> None:
        """Throw away what is kept of an upload; what is gone already is no error."""
        ...

    def free(self) -> int | None:
        """Bytes that there is room for; None: no end is known."""
        ...


def keeper() -> Keeper:
    storage = storages["default"]
    # shop.storing makes one of two; the other one is not asked for by its class, whose import takes 30 MiB.
    return Disk(storage) if isinstance(storage, FileSystemStorage) else Bucket(storage)
