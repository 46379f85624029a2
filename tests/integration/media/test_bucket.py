"""The pipeline with an object storage: nothing is left on the node, and browsers find everything."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.utils import timezone
from moto.server import ThreadedMotoServer
from pytest_django import Settings

from shop.videos import actions
from shop.videos.models import Segment, Video
from tests.filming import clip, product
from tests.integration.media.conftest import drive, files_under

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bucket(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    common = {
        "bucket_name": "media",
        "endpoint_url": f"http://{host}:{port}",
        "region_name": "us-east-1",
        "access_key": "a",
        "secret_key": "b",
        "file_overwrite": True,
    }
    s3 = "storages.backends.s3.S3Storage"
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": s3, "OPTIONS": {**common, "location": "private"}},
        "public": {"BACKEND": s3, "OPTIONS": {**common, "location": "public"}},
    }
    client = boto3.client(
        "s3",
        endpoint_url=common["endpoint_url"],
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    client.create_bucket(Bucket="media")
    yield client
    for one in names(client):  # moto keeps its buckets in this process, for the next server too
        client.delete_object(Bucket="media", Key=one)
    server.stop()


def names(client: object) -> set[str]:
    found = client.list_objects_v2(Bucket="media").get("Contents", [])  # type: ignore[attr-defined]
    return {one["Key"] for one in found}


def uploaded(file: Path) -> Video:
    video = Video(product=product(), filename="film.mp4", size=file.stat().st_size, by="ada")
    video.source = storages["default"].save(f"videos/{video.token}/source", ContentFile(file.read_bytes()))
    video.save()
    return video


def test_a_video_is_made_in_a_bucket(bucket: object, tmp_path: Path, media_root: Path) -> None:
    video = drive(uploaded(clip(tmp_path / "clip.mp4", 5)))
    assert video.state == Video.State.PUBLISHED, video.problem
    folder = f"public/videos/{video.token}"
    assert names(bucket) == {
        f"{folder}/{name}"
        for name in (
            *("96p.m3u8", "96p.m4s", "sound.m3u8", "sound.m4s", "master.m3u8"),
            *("fallback.mp4", "poster.jpg", "thumbnails.vtt", "thumbnails-01.jpg"),
        )
    }
    assert files_under(media_root) == set()
    told = bucket.head_object(Bucket="media", Key=f"{folder}/master.m3u8")  # type: ignore[attr-defined]
    assert told["ContentType"] == "application/vnd.apple.mpegurl"


def test_a_complete_segment_in_the_bucket_is_only_marked(bucket: object, tmp_path: Path) -> None:
    video = drive(
        uploaded(clip(tmp_path / "clip.mp4", 5)), until=lambda one: one.state == Video.State.JOINING
    )
    Segment.objects.filter(video=video, number=1).update(done_at=None, due_at=timezone.now())
    Video.objects.filter(pk=video.pk).update(state=Video.State.ENCODING, due_at=None)
    drive(video)
    assert video.state == Video.State.PUBLISHED
    assert set(Segment.objects.values_list("encodes", flat=True)) == {1}


def test_a_cancel_leaves_nothing_in_the_bucket(bucket: object, tmp_path: Path, media_root: Path) -> None:
    video = drive(
        uploaded(clip(tmp_path / "clip.mp4", 5)),
        until=lambda one: one.segments.filter(done_at__isnull=False).count() > 1,
    )
    actions.cancel(video, "ada")
    drive(video)
    assert names(bucket) == set()
    assert files_under(media_root) == set()
