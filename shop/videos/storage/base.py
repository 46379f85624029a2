"""What a storage for uploads must be able to do."""

from collections.abc import Iterable
from typing import Protocol
from uuid import UUID

from shop.videos.models import Upload


class MissingBytes(Exception):
    """The storage has less of an upload than its row says: a disk was changed, or restored from an older backup."""


class UploadStorage(Protocol):
    def write(self, upload: Upload, blocks: Iterable[bytes]) -> int:
        """Write these bytes from the upload's offset on; returns the new offset once they are safe. May set the
        upload's `multipart`. Raises MissingBytes, OSError and whatever `blocks` raises: then nothing counts as written.
        """
        ...

    def complete(self, upload: Upload) -> str:
        """Make the complete file the source of its video; returns its name in the storage. May be repeated. Raises
        MissingBytes."""
        ...

    def delete(self, token: UUID) -> None:
        """Delete all bytes of an upload; it is no error when there are none."""
        ...

    def free(self) -> int | None:
        """Free space in bytes; None where there is no known limit."""
        ...
