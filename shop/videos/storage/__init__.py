"""Where the bytes of an upload are stored while it arrives, and how they become a video's source.

There are two storages: a folder (disk.py) and a bucket (bucket.py). Neither knows how much has arrived. That is in the
upload's row, which is written after `write` has returned. A process that dies in between leaves bytes beyond the
offset; the next piece overwrites them.

A video has the token of its upload. So the file's final place is known in advance, `complete` can be repeated until its
result is recorded, and a sender who lost the last answer can still find out that everything has arrived.
"""

from django.core.files.storage import FileSystemStorage, storages

from shop.videos.storage.base import MissingBytes, UploadStorage
from shop.videos.storage.bucket import BucketStorage
from shop.videos.storage.disk import DiskStorage

__all__ = ["MissingBytes", "UploadStorage", "upload_storage"]


def upload_storage() -> UploadStorage:
    storage = storages["default"]
    # It is either this class or S3's, which is not named here because importing it takes 30 MiB.
    return DiskStorage(storage) if isinstance(storage, FileSystemStorage) else BucketStorage(storage)
