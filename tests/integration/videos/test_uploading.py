"""An upload arrives piece by piece, continues where it stopped, and becomes a video."""

import base64
import gc
import hashlib
import weakref
from datetime import timedelta
from email.utils import parsedate_to_datetime
from io import BytesIO
from pathlib import Path

import pytest
from django.test import RequestFactory
from django.test.client import ClientHandler
from django.utils import timezone

from shop.videos import checksums, uploads
from shop.videos.models import Upload, Video
from shop.videos.storage import upload_storage
from tests.integration.videos.conftest import CHUNK, Tus, encoded, film, problem
from workers.celery import app
from workers.periodic import sweep_uploads

WHOLE = film(3 * CHUNK + 1000)


def test_options_describe_the_protocol(tus: Tus) -> None:
    answer = tus.ask("OPTIONS", "/api/uploads/", Authorization="")
    assert answer.status_code == 204
    assert answer["Tus-Version"] == answer["Tus-Resumable"] == "1.0.0"
    assert answer["Tus-Extension"] == "creation,expiration,termination,checksum"
    assert int(answer["Tus-Max-Size"]) == 20 * 1024**3
    assert answer["Tus-Checksum-Algorithm"] == "sha1,sha256"


def test_pieces_become_a_video_that_is_due(tus: Tus, media: Path) -> None:
    sum_of_all = hashlib.sha256(WHOLE).hexdigest()
    announced = tus.announce(len(WHOLE), sha256=sum_of_all)
    assert announced.status_code == 201
    assert tus.location.startswith("/api/uploads/")
    upload = tus.upload
    tus.send_all(WHOLE)
    video = Video.objects.get()
    assert (video.token, video.state, video.size, video.by) == (upload.token, "waiting", len(WHOLE), "ada")
    assert (video.filename, video.product.sku, video.checksum) == ("kettle.mp4", "KETTLE", sum_of_all)
    assert video.due_at is not None
    assert video.due_at <= timezone.now()
    assert not Upload.objects.exists()
    assert (media / video.source).read_bytes() == WHOLE
    assert list((media / "uploads").iterdir()) == []
    told = tus.ask("GET", tus.location).json()  # type: ignore[attr-defined]
    assert told["video"].endswith(f"/api/videos/{video.token}/")
    followed = tus.ask("GET", f"/api/videos/{video.token}/").json()  # type: ignore[attr-defined]
    assert (followed["state"], followed["progress"]["percent"]) == ("waiting", 0)


def test_an_upload_continues_where_it_stopped(tus: Tus) -> None:
    tus.announce(len(WHOLE))
    first = tus.send(0, WHOLE[:CHUNK])
    assert (first.status_code, first["Upload-Offset"]) == (204, str(CHUNK))
    looked = tus.ask("HEAD", tus.location)
    assert (looked["Upload-Offset"], looked["Upload-Length"]) == (str(CHUNK), str(len(WHOLE)))
    assert looked["Cache-Control"] == "no-store"
    assert looked["Upload-Metadata"] == encoded(sku="KETTLE", filename="kettle.mp4")
    expires = parsedate_to_datetime(looked["Upload-Expires"])
    assert timedelta(days=2) < expires - timezone.now() < timedelta(days=4)
    tus.send_all(WHOLE)
    assert Video.objects.count() == 1


def test_a_sender_who_lost_the_last_answer_learns_that_all_has_arrived(tus: Tus) -> None:
    tus.announce(len(WHOLE))
    tus.send_all(WHOLE)
    assert tus.offset() == len(WHOLE)
    assert Video.objects.count() == 1


def test_a_piece_at_a_wrong_offset_is_refused(tus: Tus) -> None:
    tus.announce(len(WHOLE))
    tus.send(0, WHOLE[:CHUNK])
    assert f"{CHUNK:,} bytes" in problem(tus.send(0, WHOLE[:CHUNK]), 409)["detail"]
    problem(tus.send(2 * CHUNK, WHOLE[2 * CHUNK :]), 409)
    assert tus.offset() == CHUNK


def test_no_more_is_stored_than_was_announced(tus: Tus, media: Path) -> None:
    tus.announce(len(WHOLE))
    answer = tus.send(0, WHOLE + b"x" * 5000)
    assert (answer.status_code, answer["Upload-Offset"]) == (204, str(len(WHOLE)))
    assert (media / Video.objects.get().source).read_bytes() == WHOLE


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_a_piece_must_have_its_checksum(tus: Tus, algorithm: str) -> None:
    tus.announce(len(WHOLE))

    def named(body: bytes) -> dict[str, str]:
        digest = base64.b64encode(hashlib.new(algorithm, body).digest()).decode()
        return {"Upload-Checksum": f"{algorithm} {digest}"}

    sent = tus.send(0, WHOLE[: CHUNK - 1] + b"!", **named(WHOLE[:CHUNK]))
    assert problem(sent, 460)["type"].endswith("/checksum-mismatch/")
    assert tus.offset() == 0
    assert tus.send(0, WHOLE[:CHUNK], **named(WHOLE[:CHUNK])).status_code == 204
    problem(tus.send(CHUNK, WHOLE[CHUNK:], **{"Upload-Checksum": "crc32 AAAA"}), 400)
    problem(tus.send(CHUNK, WHOLE[CHUNK:], **{"Upload-Checksum": f"{algorithm} ?"}), 400)
    tus.send_all(WHOLE)


def test_bytes_of_a_dead_process_are_overwritten(tus: Tus, media: Path) -> None:
    """It died after it had written them and before it had moved the offset."""
    tus.announce(len(WHOLE))
    tus.send(0, WHOLE[:CHUNK])
    with (media / "uploads" / str(tus.upload.token)).open("ab") as file:
        file.write(b"?" * CHUNK)
    assert tus.offset() == CHUNK
    tus.send_all(WHOLE)
    assert (media / Video.objects.get().source).read_bytes() == WHOLE


@pytest.mark.parametrize("died", ["before the file was moved", "after the file was moved"])
@pytest.mark.parametrize("by", ["the next look", "the sweep", "another piece"])
def test_a_crash_while_finalising_loses_nothing(tus: Tus, media: Path, died: str, by: str) -> None:
    tus.announce(len(WHOLE))
    tus.send(0, WHOLE[:CHUNK])
    upload = tus.upload
    # What is on the disk and in the row when the process dies.
    (media / "uploads" / str(upload.token)).write_bytes(WHOLE)
    Upload.objects.update(offset=len(WHOLE))
    if died == "after the file was moved":
        upload_storage().complete(tus.upload)
    if by == "the next look":
        assert tus.offset() == len(WHOLE)
    elif by == "another piece":
        assert tus.send(len(WHOLE), b"").status_code == 204
    else:
        assert uploads.sweep() == (0, 1)
    assert (media / Video.objects.get().source).read_bytes() == WHOLE
    assert not Upload.objects.exists()
    assert uploads.finalise(upload_that_was(upload)) == Video.objects.get()


def upload_that_was(upload: Upload) -> Upload:
    upload.offset = upload.size
    return upload


def test_an_upload_can_be_deleted(tus: Tus, media: Path) -> None:
    tus.announce(len(WHOLE))
    tus.send(0, WHOLE[:CHUNK])
    assert tus.ask("DELETE", tus.location).status_code == 204
    assert list((media / "uploads").iterdir()) == []
    problem(tus.ask("DELETE", tus.location), 404)
    problem(tus.send(CHUNK, WHOLE[CHUNK:]), 404)
    assert tus.ask("HEAD", tus.location).status_code == 404


def test_an_abandoned_upload_expires(tus: Tus, media: Path) -> None:
    tus.announce(len(WHOLE))
    tus.send(0, WHOLE[:CHUNK])
    assert uploads.sweep() == (0, 0)
    Upload.objects.update(expires_at=timezone.now())
    problem(tus.send(CHUNK, WHOLE[CHUNK:]), 410)
    assert list((media / "uploads").iterdir()) == []
    tus.announce(len(WHOLE))
    tus.send(0, WHOLE[:CHUNK])
    Upload.objects.update(expires_at=timezone.now())
    assert uploads.sweep() == (1, 0)
    assert list((media / "uploads").iterdir()) == []
    assert not Upload.objects.exists()


def test_space_that_is_announced_but_not_used_is_freed_soon(tus: Tus) -> None:
    tus.announce(len(WHOLE))
    assert tus.upload.expires_at - timezone.now() <= uploads.UNSENT
    tus.send(0, WHOLE[:CHUNK])
    assert tus.upload.expires_at - timezone.now() > uploads.UNSENT


def test_uploads_are_swept_every_minute(tus: Tus) -> None:
    tus.announce(len(WHOLE))
    Upload.objects.update(expires_at=timezone.now())
    [entry] = [one for one in app.conf.beat_schedule.values() if one["task"] == sweep_uploads.name]
    assert entry["schedule"] <= 60
    sweep_uploads()
    assert not Upload.objects.exists()


@pytest.mark.parametrize(("named", "wrong"), [("", False), ("right", False), ("0" * 64, True)])
def test_the_whole_file_must_have_the_announced_checksum(
    tus: Tus, media: Path, named: str, wrong: bool
) -> None:
    named = named.replace("right", hashlib.sha256(WHOLE).hexdigest())
    tus.announce(len(WHOLE), None, **({"sha256": named} if named else {}))
    tus.send_all(WHOLE)
    video = Video.objects.get()
    assert ("Send it again" in checksums.mismatch(video, media / video.source, lambda: None)) is wrong


def test_a_lost_file_means_to_begin_again(tus: Tus, media: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its beginning is not replaced by a hole."""
    tus.announce(len(WHOLE))
    tus.send(0, WHOLE[:CHUNK])
    (media / "uploads" / str(tus.upload.token)).unlink()
    assert "from its beginning" in problem(tus.send(CHUNK, WHOLE[CHUNK:]), 410)["detail"]
    assert "An upload is lost" in caplog.text
    assert not Upload.objects.exists()


def test_a_client_that_can_only_post(tus: Tus) -> None:
    tus.announce(len(WHOLE))
    sent = tus.ask("POST", tus.location, WHOLE, **{"X-HTTP-Method-Override": "PATCH", "Upload-Offset": "0"})
    assert sent.status_code == 204
    assert Video.objects.exists()


class Body(BytesIO):
    """What a server passes as a request's body."""


def test_the_memory_of_a_piece_is_freed_without_the_garbage_collector(tus: Tus) -> None:
    """Requests are in reference cycles and the collector runs rarely, so freeing must not depend on it."""
    tus.announce(len(WHOLE))
    body = Body(WHOLE[:CHUNK])
    environ = {
        **RequestFactory().generic("PATCH", tus.location).environ,
        "CONTENT_TYPE": "application/offset+octet-stream",
        "CONTENT_LENGTH": str(CHUNK),
        "HTTP_AUTHORIZATION": tus.headers["Authorization"],
        "HTTP_TUS_RESUMABLE": "1.0.0",
        "HTTP_UPLOAD_OFFSET": "0",
        "wsgi.input": body,
    }
    watch = weakref.ref(body)
    gc.disable()
    try:
        answer = ClientHandler(enforce_csrf_checks=False)(environ)
        assert answer.status_code == 204
        del body, environ, answer
        assert watch() is None
    finally:
        gc.enable()
