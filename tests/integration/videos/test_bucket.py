"""Uploads to an object storage: a server that speaks S3, and refuses parts that S3 would refuse."""

from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from django.core.files.storage import storages
from django.utils import timezone
from moto.server import ThreadedMotoServer
from pytest_django import Settings

from shop.catalogue.models import Product
from shop.storing import storages as stored
from shop.videos import uploads
from shop.videos.models import Upload, Video
from shop.videos.storage import upload_storage
from shop.videos.storage.bucket import PART
from tests.integration.videos.conftest import Tus, film, problem

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(address: str, settings: Settings) -> Any:
    """An empty bucket as the shop's storage; boto3's own client of it."""
    urlopen(Request(f"{address}/moto-api/reset", method="POST"), timeout=10).close()  # noqa: S310 (our own URL)
    told = {
        "MEDIA_BUCKET": "stampede",
        "MEDIA_ENDPOINT": address,
        "MEDIA_REGION": "us-east-1",
        "MEDIA_ACCESS_KEY": "key",
        "MEDIA_SECRET_KEY": "secret",
        "MEDIA_PUBLIC_URL": "https://media.example.com",
    }
    settings.STORAGES = {**settings.STORAGES, **stored(told)}
    client = boto3.client(
        "s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    client.create_bucket(Bucket="stampede")
    yield client
    client.close()


@pytest.fixture
def sender(kettle: Product, token: str, bucket: Any) -> Tus:
    return Tus({"Authorization": f"Token {token}"})


def keys(bucket: Any) -> list[str]:
    return [one["Key"] for one in bucket.list_objects_v2(Bucket="stampede").get("Contents", ())]


def unfinished(bucket: Any) -> int:
    return len(bucket.list_multipart_uploads(Bucket="stampede").get("Uploads", ()))


def content(video: Video) -> bytes:
    with storages["default"].open(video.source) as file:
        return bytes(file.read())


def test_public_files_have_plain_addresses(bucket: Any) -> None:
    assert (
        storages["public"].url("videos/x/master.m3u8")
        == "https://media.example.com/public/videos/x/master.m3u8"
    )


@pytest.mark.parametrize("chunk", [16 * MEGABYTE, PART, 3 * MEGABYTE + 7])
def test_pieces_of_any_size_become_one_object(sender: Tus, bucket: Any, chunk: int) -> None:
    whole = film(20 * MEGABYTE + 123)
    sender.announce(len(whole))
    sender.send_all(whole, chunk)
    video = Video.objects.get()
    assert keys(bucket) == [f"private/{video.source}"]
    assert unfinished(bucket) == 0
    assert content(video) == whole


def test_an_upload_continues_where_it_stopped(sender: Tus, bucket: Any) -> None:
    """Every piece ends in the middle of a part; one of them comes twice, one never counts."""
    whole = film(2 * PART)
    sender.announce(len(whole))
    sender.send(0, whole[: 5 * MEGABYTE])
    assert len(keys(bucket)) == 1  # too little for a part, so it is a tail
    # A process died: its bytes are in the bucket, but not in the row.
    died = sender.upload
    upload_storage().write(died, [whole[5 * MEGABYTE : 7 * MEGABYTE], b"?" * MEGABYTE * 3])
    assert sender.offset() == 5 * MEGABYTE
    sender.send_all(whole, 4 * MEGABYTE)
    assert content(Video.objects.get()) == whole
    assert len(keys(bucket)) == 1
    assert unfinished(bucket) == 0


@pytest.mark.parametrize("died", ["before it was completed", "after it was completed"])
def test_a_crash_while_finalising_loses_nothing(sender: Tus, bucket: Any, died: str) -> None:
    whole = film(PART + 1)
    sender.announce(len(whole))
    sender.send(0, whole[:PART])
    upload = sender.upload
    upload_storage().write(upload, [whole[PART:]])
    Upload.objects.update(offset=len(whole))
    if died == "after it was completed":
        upload_storage().complete(sender.upload)
    assert sender.offset() == len(whole)
    assert content(Video.objects.get()) == whole


@pytest.mark.parametrize("how", ["cancelled", "expired", "no video"])
def test_a_discarded_upload_leaves_nothing(sender: Tus, bucket: Any, how: str) -> None:
    sender.announce(2 * PART)
    if how == "no video":
        problem(sender.send(0, b"#!/bin/sh\n" * MEGABYTE), 415)
    else:
        sender.send(0, film(PART + MEGABYTE))
        assert unfinished(bucket) == 1
        if how == "cancelled":
            sender.ask("DELETE", sender.location)
        else:
            Upload.objects.update(expires_at=timezone.now())
            assert uploads.sweep() == (1, 0)
    assert keys(bucket) == []
    assert unfinished(bucket) == 0
    assert not Upload.objects.exists()


def test_a_lost_tail_means_to_begin_again(sender: Tus, bucket: Any) -> None:
    whole = film(3 * PART)
    sender.announce(len(whole))
    sender.send(0, whole[: PART + 1])
    [tail] = keys(bucket)
    bucket.delete_object(Bucket="stampede", Key=tail)
    problem(sender.send(PART + 1, whole[PART + 1 :]), 410)
    assert not Upload.objects.exists()
    assert unfinished(bucket) == 0


def test_lost_parts_mean_to_begin_again(sender: Tus, bucket: Any) -> None:
    whole = film(PART + 1)
    sender.announce(len(whole))
    sender.send(0, whole[:PART])
    [one] = bucket.list_multipart_uploads(Bucket="stampede")["Uploads"]
    bucket.abort_multipart_upload(Bucket="stampede", Key=one["Key"], UploadId=one["UploadId"])
    Upload.objects.update(offset=len(whole))
    assert sender.ask("HEAD", sender.location).status_code == 410
    assert not Upload.objects.exists()


def test_a_storage_that_is_down(sender: Tus, bucket: Any) -> None:
    sender.announce(2 * PART)
    bucket.delete_bucket(Bucket="stampede")
    answer = sender.send(0, film(2 * PART))
    assert "file storage does not answer" in problem(answer, 503)["detail"]
    assert answer["Retry-After"] == "5"
    assert sender.offset() == 0
