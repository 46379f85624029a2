"""What is refused, and that this happens before its bytes are sent or with the first of them."""

import gzip
import shutil
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from shop.api import tokens
from shop.catalogue.models import Product
from shop.videos import uploads
from shop.videos.models import Segment, Upload, Video
from tests.integration.videos.conftest import CHUNK, Tus, encoded, film, problem

GIGABYTE = 1024**3


def test_a_piece_that_is_compressed(tus: Tus) -> None:
    tus.announce(GIGABYTE)
    answer = tus.send(0, gzip.compress(film(CHUNK)), **{"Content-Encoding": "gzip"})
    assert problem(answer, 415)["type"].endswith("/compressed-body/")
    assert tus.offset() == 0


def test_a_file_that_is_too_large(tus: Tus, settings: Settings) -> None:
    settings.VIDEO_MAX_BYTES = GIGABYTE
    found = problem(tus.announce(GIGABYTE + 1), 413)
    assert "1.0\xa0GB is the most" in found["detail"]
    assert found["type"].endswith("/upload-too-large/")
    assert tus.announce(GIGABYTE).status_code == 201


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"filename": "kettle.pdf"}, "“kettle.pdf” is not named like a video"),
        ({"filename": "kettle"}, "not named like a video"),
        ({"filename": "kettle.mp4", "filetype": "image/png"}, "announced as image/png"),
    ],
)
def test_a_file_that_does_not_claim_to_be_a_video(tus: Tus, metadata: dict[str, str], said: str) -> None:
    assert said in problem(tus.announce(GIGABYTE, None, **metadata), 415)["detail"]
    assert not Upload.objects.exists()


@pytest.mark.parametrize("kind", ["video/mp4", "video/quicktime", "application/octet-stream", ""])
def test_media_types_that_browsers_send_for_videos(tus: Tus, kind: str) -> None:
    assert tus.announce(GIGABYTE, filetype=kind).status_code == 201


def test_a_file_that_is_too_small_for_a_video(tus: Tus) -> None:
    assert "too few for a video" in problem(tus.announce(100), 415)["detail"]


def test_an_unknown_product(tus: Tus) -> None:
    found = problem(tus.announce(GIGABYTE, sku="KETTLE-2"), 400)
    assert found["errors"] == {"sku": ["There is no product with this SKU."]}
    problem(tus.announce(GIGABYTE, sku="KET\x00TLE"), 400)


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"Upload-Length": ""}, "Upload-Length"),
        ({"Upload-Length": "-1"}, "Upload-Length"),
        ({"Upload-Length": "10 GB"}, "Upload-Length"),
        ({"Upload-Length": "9" * 30}, "Upload-Length"),
        ({"Upload-Metadata": ""}, "sku"),
        ({"Upload-Metadata": encoded(sku="KETTLE")}, "filename"),
        ({"Upload-Metadata": "sku ?"}, "Upload-Metadata"),
        ({"Upload-Metadata": f"{encoded(sku='KETTLE')},sku TVVH"}, "Upload-Metadata"),
        ({"Upload-Metadata": "sku /w=="}, "Upload-Metadata"),
        ({"Upload-Metadata": "skü S0VUVExF"}, "Upload-Metadata"),
        ({"Upload-Metadata": encoded(sku="KETTLE", filename="a.mp4", sha256="abc")}, "sha256"),
        ({"Upload-Metadata": "sku " + "A" * 5000}, "Upload-Metadata"),
    ],
)
def test_unreadable_headers(tus: Tus, headers: dict[str, str], named: str) -> None:
    assert named in problem(tus.announce(GIGABYTE, headers), 400)["errors"]


def test_another_version_of_the_protocol(tus: Tus) -> None:
    answer = tus.announce(GIGABYTE, {"Tus-Resumable": "0.2.2"})
    problem(answer, 412)
    assert answer["Tus-Version"] == "1.0.0"
    assert tus.announce(GIGABYTE, {"Tus-Resumable": "1.0.0"})["Tus-Resumable"] == "1.0.0"


def test_a_piece_with_another_content_type(tus: Tus) -> None:
    tus.announce(CHUNK)
    problem(tus.send(0, film(CHUNK), **{"Content-Type": "application/json"}), 415)
    assert tus.offset() == 0
    problem(tus.send(0, film(CHUNK), **{"Upload-Offset": "zero"}), 400)


def test_the_first_bytes_decide(tus: Tus, media: Path) -> None:
    tus.announce(GIGABYTE)
    found = problem(tus.send(0, b"#!/bin/sh\n" * 1000), 415)
    assert "does not hold a video, whatever its name says" in found["detail"]
    assert list((media / "uploads").iterdir()) == []
    assert not Upload.objects.exists()
    problem(tus.send(0, film(CHUNK)), 404)


def test_a_first_piece_that_is_too_short_to_tell(tus: Tus) -> None:
    tus.announce(CHUNK)
    assert "64 bytes or more" in str(problem(tus.send(0, film(CHUNK)[:16]), 400)["errors"])
    assert tus.offset() == 0
    tus.send_all(film(CHUNK))


def test_a_full_disk(tus: Tus, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is reported about the disk is changed here."""
    usage = SimpleNamespace(free=uploads.SPARE + 2 * GIGABYTE)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    assert tus.announce(GIGABYTE + 1).status_code == 201
    found = problem(tus.announce(GIGABYTE), 507)
    assert "there is room for 1024.0\xa0MB" in found["detail"]
    assert tus.announce(GIGABYTE - 1).status_code == 201


class TestBacklog:
    def published(self, kettle: Product, *, seconds: int, size: int, took: int) -> None:
        video = Video.objects.create(
            product=kettle,
            filename="old.mp4",
            size=size,
            by="ada",
            state="published",
            duration_ms=seconds * 1000,
        )
        now = timezone.now()
        Video.objects.filter(pk=video.pk).update(started_at=now - timedelta(seconds=took), published_at=now)

    def test_a_full_backlog_says_when_to_come_back(self, tus: Tus, settings: Settings) -> None:
        settings.VIDEO_BACKLOG_HOURS = 1
        # An idle shop accepts everything, however long it takes: 2 GB are 36 minutes at 8 Mbit/s.
        assert tus.announce(2_160_000_000).status_code == 201
        assert tus.announce(2_160_000_000).status_code == 201
        refused = tus.announce(GIGABYTE)
        assert "72 minutes of work" in problem(refused, 503)["detail"]
        assert "Come back in 12 minutes" in problem(refused, 503)["detail"]
        assert 11 * 60 < int(refused["Retry-After"]) <= 12 * 60 + 1

    def test_the_estimate_learns_from_published_videos(
        self, tus: Tus, kettle: Product, settings: Settings
    ) -> None:
        settings.VIDEO_BACKLOG_HOURS = 1
        self.published(kettle, seconds=60, size=6_000_000, took=30)  # 0.8 Mbit/s, at twice the speed it plays
        assert tus.announce(720_000_000).status_code == 201  # two hours of video, one of work
        assert tus.announce(CHUNK).status_code == 503

    def test_encoded_segments_do_not_count(self, tus: Tus, kettle: Product, settings: Settings) -> None:
        settings.VIDEO_BACKLOG_HOURS = 1
        video = Video.objects.create(
            product=kettle, filename="x.mp4", size=1, by="ada", state="encoding", duration_ms=2 * 3_600_000
        )
        assert tus.announce(CHUNK).status_code == 503
        Segment.objects.create(video=video, number=0, start_ms=0, end_ms=2 * 3_600_000)
        Segment.objects.create(video=video, number=1, start_ms=0, end_ms=3_600_000, encoded_ms=3_600_000)
        last = Segment.objects.create(video=video, number=2, start_ms=3_600_000, end_ms=7_200_000)
        assert tus.announce(CHUNK).status_code == 503
        Segment.objects.filter(pk=last.pk).update(encoded_ms=1000)
        assert tus.announce(CHUNK).status_code == 201


class TestWhoMay:
    def test_an_anonymous_sender(self, tus: Tus) -> None:
        answer = tus.announce(GIGABYTE, {"Authorization": ""})
        problem(answer, 401)
        assert answer["WWW-Authenticate"] == "Token"
        problem(tus.announce(GIGABYTE, {"Authorization": "Token nonsense"}), 401)

    @pytest.mark.parametrize(
        ("staff", "may", "status"), [(False, True, 403), (True, False, 403), (True, True, 201)]
    )
    def test_staff_who_may_add_videos(self, tus: Tus, staff: bool, may: bool, status: int) -> None:
        user = get_user_model().objects.create_user("grace", is_staff=staff)
        if may:
            user.user_permissions.add(Permission.objects.get(codename="add_video"))
        token = tokens.draw(user)
        assert tus.announce(GIGABYTE, {"Authorization": f"Token {token}"}).status_code == status

    def test_a_browser_needs_its_session_and_the_csrf_token(
        self, kettle: Product, media: Path, admin_user: Any
    ) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(admin_user)
        browser = Tus({}, client=client)
        assert "CSRF" in problem(browser.announce(CHUNK), 403)["detail"]
        client.cookies["csrftoken"] = "a" * 32
        browser.headers = {"X-CSRFToken": "a" * 32}
        assert browser.announce(CHUNK).status_code == 201
        browser.headers = {}
        problem(browser.send(0, film(CHUNK)), 403)
        browser.headers = {"X-CSRFToken": "a" * 32}
        browser.send_all(film(CHUNK))
        assert Video.objects.get().by == "admin"


def test_every_kind_of_refusal_has_a_page(client: Client) -> None:
    for slug in ("backlog-full", "checksum-mismatch", "upload-gone"):
        page = client.get(f"/api/problems/{slug}/")
        assert page.status_code == 200
        assert page.content.decode().count("\n") > 2


def test_video_endpoints(tus: Tus) -> None:
    tus.announce(CHUNK)
    tus.send_all(film(CHUNK))
    video = Video.objects.get()
    path = f"/api/videos/{video.token}/"
    problem(tus.ask("POST", f"{path}retry/"), 409)
    cancelled = tus.ask("POST", f"{path}cancel/").json()  # type: ignore[attr-defined]
    assert cancelled["state"] == "cancelled"
    assert "cannot be cancelled" in problem(tus.ask("POST", f"{path}cancel/"), 409)["detail"]
    assert tus.ask("POST", f"{path}retry/").json()["state"] == "waiting"  # type: ignore[attr-defined]
    problem(tus.ask("GET", f"/api/videos/{uuid4()}/"), 404)
    problem(tus.ask("GET", path, Authorization=""), 401)
