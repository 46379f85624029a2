"""Uploads in a bucket: each is one S3 multipart upload, whose finished object is the video's source.

S3 wants parts of 5 MiB or more, except for the last, but a sender may send any number of bytes. So every part has the
size PART, and what is left over is an object of its own, the tail, until the next piece completes it. The offset alone
then says which parts exist and how long the tail is, and a piece that is sent again after a crash replaces its own
parts. A tail is named by the offset at which it ends, so the one that counts is never overwritten.

A process holds one part in memory, however large the file is.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

from botocore.exceptions import ClientError

from shop.videos import files
from shop.videos.models import Upload
from shop.videos.storage.base import MissingBytes

if TYPE_CHECKING:
    from storages.backends.s3 import S3Storage

PART = 8 * 1024 * 1024  # bytes; S3 takes up to 10,000 parts, so files of up to 80 GB
_DELETED_AT_ONCE = 1_000  # objects, the most that S3 takes in one request


class BucketStorage:
    def __init__(self, storage: "S3Storage") -> None:
        self._client = storage.connection.meta.client
        self._bucket = storage.bucket_name
        self._prefix = f"{storage.location.strip('/')}/".lstrip("/")

    def write(self, upload: Upload, blocks: Iterable[bytes]) -> int:
        source = self._source(upload.token)
        pending = bytearray(self._read_tail(upload))
        if not upload.multipart:
            upload.multipart = self._client.create_multipart_upload(**source)["UploadId"]
        end, number = upload.offset, upload.offset // PART

        def send() -> None:
            nonlocal number
            number += 1
            part = bytes(pending[:PART])
            del pending[:PART]
            try:
                self._client.upload_part(**source, UploadId=upload.multipart, PartNumber=number, Body=part)
            except ClientError as error:
                if _code(error) == "NoSuchUpload":
                    raise MissingBytes(f"the bucket has no multipart upload for {source['Key']}") from None
                raise

        for block in blocks:
            pending += block
            end += len(block)
            while len(pending) >= PART:
                send()
        if pending and end == upload.size:
            send()
        elif pending:
            tail = f"{self._tails(upload.token)}{end}"
            self._client.put_object(Bucket=self._bucket, Key=tail, Body=bytes(pending))
        return end

    def complete(self, upload: Upload) -> str:
        source = self._source(upload.token)
        if not self._is_complete(upload):
            parts = list(self._parts(upload))
            if (size := sum(part["Size"] for part in parts)) != upload.size:
                raise MissingBytes(f"of {upload.size:,} bytes of {source['Key']} {size:,} are in the bucket")
            named = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in parts]
            self._client.complete_multipart_upload(
                **source, UploadId=upload.multipart, MultipartUpload={"Parts": named}
            )
        # Deletes tails, and multipart uploads of processes that died before they wrote the row.
        self.delete(upload.token)
        return files.source(upload.token)

    def delete(self, token: UUID) -> None:
        source = self._source(token)
        found = self._client.list_multipart_uploads(Bucket=self._bucket, Prefix=source["Key"])
        for one in found.get("Uploads", ()):
            self._client.abort_multipart_upload(**source, UploadId=one["UploadId"])
        self._delete_tails(token)

    def free(self) -> None:
        return None

    def _read_tail(self, upload: Upload) -> bytes:
        """What has arrived and was too little for a part. Deletes older tails."""
        if not (length := upload.offset % PART):
            return b""
        key = f"{self._tails(upload.token)}{upload.offset}"
        try:
            found: bytes = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if _code(error) not in ("NoSuchKey", "404"):
                raise
            raise MissingBytes(f"{key} is not in the bucket") from None
        if len(found) != length:
            raise MissingBytes(f"{key} has {len(found):,} bytes instead of {length:,}")
        self._delete_tails(upload.token, but=key)
        return found

    def _delete_tails(self, token: UUID, but: str = "") -> None:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._tails(token), PaginationConfig={"PageSize": _DELETED_AT_ONCE}
        )
        for page in pages:
            if old := [{"Key": one["Key"]} for one in page.get("Contents", ()) if one["Key"] != but]:
                self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": old, "Quiet": True})

    def _parts(self, upload: Upload) -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator("list_parts")
        try:
            for page in pages.paginate(**self._source(upload.token), UploadId=upload.multipart):
                yield from page.get("Parts", ())
        except ClientError as error:
            if _code(error) != "NoSuchUpload":
                raise

    def _is_complete(self, upload: Upload) -> bool:
        try:
            found = self._client.head_object(**self._source(upload.token))
        except ClientError as error:
            if _code(error) not in ("NoSuchKey", "404"):
                raise
            return False
        return bool(found["ContentLength"] == upload.size)

    def _source(self, token: UUID) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + files.source(token)}

    def _tails(self, token: UUID) -> str:
        """What the names of this upload's tails begin with."""
        return f"{self._prefix}{files.incoming(token)}/"


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
