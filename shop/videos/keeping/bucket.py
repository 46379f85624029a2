"""Uploads in a bucket: the parts of one multipart upload each, whose object is the video's source.

S3 takes parts of 5 MiB and more, but for the last one, and a sender may send any number of bytes. So parts have one
size, PART, and what is left over is kept as an object of its own, the tail, until the next piece completes it. With
that the offset alone says which parts there are and how long the tail is: nothing else has to be remembered, and a
piece that is sent again, because a process died over it, replaces its own parts. A tail is named by the offset that
it reaches to, so that the one that counts is never overwritten.

A process holds one part in its memory, whatever the size of the file.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

from botocore.exceptions import ClientError

from shop.videos.keeping import names
from shop.videos.keeping.lost import Lost
from shop.videos.models import Upload

if TYPE_CHECKING:
    from storages.backends.s3 import S3Storage

PART = 8 * 1024 * 1024  # bytes; S3 takes up to 10,000 parts, so files of up to 80 GB
_MANY = 1_000  # objects that S3 deletes with one request


class Bucket:
    def __init__(self, storage: "S3Storage") -> None:
        self._client = storage.connection.meta.client
        self._bucket = storage.bucket_name
        self._storage = storage

    def write(self, upload: Upload, pieces: Iterable[bytes]) -> int:
        where = self._where(upload.token)
        pending = bytearray(self._tail(upload))
        if not upload.multipart:
            upload.multipart = self._client.create_multipart_upload(**where)["UploadId"]
        end, number = upload.offset, upload.offset // PART

        def send() -> None:
            nonlocal number
            number += 1
            part = bytes(pending[:PART])
            del pending[:PART]
            try:
                self._client.upload_part(**where, UploadId=upload.multipart, PartNumber=number, Body=part)
            except ClientError as error:
                if _code(error) == "NoSuchUpload":
                    raise Lost(f"the bucket knows no multipart upload for {where['Key']}") from None
                raise

        for piece in pieces:
            pending += piece
            end += len(piece)
            while len(pending) >= PART:
                send()
        if pending and end == upload.size:
            send()
        elif pending:
            self._client.put_object(
                Bucket=self._bucket, Key=self._tail_key(upload.token, end), Body=bytes(pending)
            )
        return end

    def deliver(self, upload: Upload) -> str:
        where = self._where(upload.token)
        if not self._is_there(upload):
            parts = list(self._parts(upload))
            if (kept := sum(part["Size"] for part in parts)) != upload.size:
                raise Lost(f"of {upload.size:,} bytes of {where['Key']} {kept:,} are in the bucket")
            named = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in parts]
            self._client.complete_multipart_upload(
                **where, UploadId=upload.multipart, MultipartUpload={"Parts": named}
            )
        self.drop(upload.token)  # tails, and the parts of a process that died before it could say so
        return names.source(upload.token)

    def drop(self, token: UUID) -> None:
        where = self._where(token)
        found = self._client.list_multipart_uploads(Bucket=self._bucket, Prefix=where["Key"])
        for one in found.get("Uploads", ()):
            self._client.abort_multipart_upload(**where, UploadId=one["UploadId"])
        self._drop_tails(token)

    def free(self) -> None:
        return None

    def _tail(self, upload: Upload) -> bytes:
        """What has arrived and was too little for a part; tails that came before it go."""
        if not (length := upload.offset % PART):
            return b""
        key = self._tail_key(upload.token, upload.offset)
        try:
            found: bytes = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if _code(error) not in ("NoSuchKey", "404"):
                raise
            raise Lost(f"{key} is not in the bucket") from None
        if len(found) != length:
            raise Lost(f"{key} has {len(found):,} bytes instead of {length:,}")
        self._drop_tails(upload.token, but=key)
        return found

    def _drop_tails(self, token: UUID, but: str = "") -> None:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._tail_key(token), PaginationConfig={"PageSize": _MANY}
        )
        for page in pages:
            if old := [{"Key": one["Key"]} for one in page.get("Contents", ()) if one["Key"] != but]:
                self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": old, "Quiet": True})

    def _parts(self, upload: Upload) -> Iterator[dict[str, Any]]:
        try:
            for page in self._client.get_paginator("list_parts").paginate(
                **self._where(upload.token), UploadId=upload.multipart
            ):
                yield from page.get("Parts", ())
        except ClientError as error:
            if _code(error) != "NoSuchUpload":
                raise

    def _is_there(self, upload: Upload) -> bool:
        try:
            found = self._client.head_object(**self._where(upload.token))
        except ClientError as error:
            if _code(error) not in ("NoSuchKey", "404"):
                raise
            return False
        return bool(found["ContentLength"] == upload.size)

    def _where(self, token: UUID) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._key(names.source(token))}

    def _tail_key(self, token: UUID, offset: int | None = None) -> str:
        return self._key(f"{names.incoming(token)}/") + ("" if offset is None else str(offset))

    def _key(self, name: str) -> str:
        """The name with the folder that the storage puts in front of all."""
        location = self._storage.location.strip("/")
        return f"{location}/{name}" if location else name


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
