"""A file that is not a video, or not only one, is refused with a reason, does no harm and leaves nothing behind."""

import socket
import struct
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from shop.videos.models import Segment, Video
from tests.filming import clip, film, uploaded
from tests.integration.media.conftest import drive, files_under
from workers.models import DeadLetter

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def canary() -> Iterator[tuple[str, list[str]]]:
    """A server that nobody may call: its address, and the calls."""
    calls: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        done = threading.Event()

        def listen() -> None:
            while not done.is_set():
                try:
                    connection, caller = server.accept()
                except TimeoutError:
                    continue
                calls.append(str(caller))
                connection.close()

        thread = threading.Thread(target=listen)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", calls
        done.set()
        thread.join()


def refused(content: Path | bytes, media_root: Path, name: str = "film.mp4") -> str:
    """Why it is refused; checks that nothing of it is left."""
    video = drive(uploaded(content, name=name))
    assert video.state == Video.State.REFUSED
    assert video.ended_at
    assert not video.due_at
    assert video.source == ""
    assert files_under(media_root) == set()
    assert not Segment.objects.filter(video=video).exists()
    assert not DeadLetter.objects.exists()
    return video.problem


def test_a_playlist_that_calls_out(canary: tuple[str, list[str]], media_root: Path) -> None:
    address, calls = canary
    said = refused(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{address}/a.ts\n#EXT-X-ENDLIST\n".encode(), media_root
    )
    assert "MP4" in said
    assert not calls


def test_a_list_of_other_files(canary: tuple[str, list[str]], media_root: Path) -> None:
    address, calls = canary
    refused(f"ffconcat version 1.0\nfile '/etc/passwd'\nfile '{address}/a'\n".encode(), media_root)
    assert not calls


def test_a_drawing_with_a_link(canary: tuple[str, list[str]], media_root: Path) -> None:
    address, calls = canary
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{address}/a.png" width="9" height="9"/></svg>'
    )
    refused(drawing.encode(), media_root)
    assert not calls


def test_a_reference_to_another_file_within(
    canary: tuple[str, list[str]], tmp_path: Path, media_root: Path
) -> None:
    """A MOV file may refer to content elsewhere, which is not fetched."""
    address, calls = canary
    good = clip(tmp_path / "clip.mp4", 1, sound=False).read_bytes()
    url = address.encode() + b"/a.mov\0"
    entry = struct.pack(">I4sI", 12 + len(url), b"url ", 0) + url
    old = good.find(b"dref") - 4
    size = struct.unpack(">I", good[old : old + 4])[0]
    grown = good[:old] + struct.pack(">I4sII", 16 + len(entry), b"dref", 0, 1) + entry + good[old + size :]
    by = 16 + len(entry) - size
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
        at = grown.find(kind) - 4
        grown = (
            grown[:at] + struct.pack(">I", struct.unpack(">I", grown[at : at + 4])[0] + by) + grown[at + 4 :]
        )
    drive(uploaded(grown))
    assert not calls


def test_an_empty_file(media_root: Path) -> None:
    assert refused(b"", media_root) == "The file is empty."


def test_a_file_that_is_not_the_one_that_was_sent(tmp_path: Path, media_root: Path) -> None:
    video = uploaded(clip(tmp_path / "clip.mp4", 1))
    Video.objects.filter(pk=video.pk).update(checksum="0" * 64)
    video = drive(video)
    assert video.state == Video.State.REFUSED
    assert "Send it again" in video.problem
    assert files_under(media_root) == set()


@pytest.mark.parametrize("content", [b"hello\n" * 1000, b"\0" * 100_000, b"MZ" + bytes(range(256)) * 400])
def test_a_file_that_is_only_named_like_a_video(content: bytes, media_root: Path) -> None:
    assert "whatever its name says" in refused(content, media_root)


def test_a_video_with_another_name(tmp_path: Path) -> None:
    video = drive(uploaded(clip(tmp_path / "clip.mp4", 1), name="../../../etc/passwd.txt"))
    assert video.state == Video.State.PUBLISHED


def test_a_picture_with_a_video_behind_it(tmp_path: Path, media_root: Path) -> None:
    picture = film(
        ["-f", "lavfi", "-i", "testsrc2=s=64x64", "-frames:v", "1"], tmp_path / "a.jpg"
    ).read_bytes()
    refused(picture + clip(tmp_path / "clip.mp4", 1).read_bytes(), media_root)


def test_a_video_with_an_archive_behind_it(tmp_path: Path, media_root: Path) -> None:
    file = clip(tmp_path / "clip.mp4", 1)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("page.html", "<script>alert(1)</script>")
    assert "something else in the file" in refused(file, media_root)


def test_a_huge_picture(tmp_path: Path, media_root: Path) -> None:
    """A few hundred kilobytes that unpack to 16000 × 8000."""
    bomb = film(["-f", "lavfi", "-i", "color=s=16000x8000:r=1:d=1", "-c:v", "mjpeg"], tmp_path / "bomb.mkv")
    assert "at most 8192 a side" in refused(bomb, media_root)


def test_a_video_without_an_end(tmp_path: Path, media_root: Path) -> None:
    file = clip(tmp_path / "clip.mp4", 1, rate="1", more=("-movie_timescale", "1"))
    content = bytearray(file.read_bytes())
    at = content.find(b"mvhd")
    content[at + 20 : at + 24] = struct.pack(">I", 40 * 3_600)
    at = content.find(b"stts")
    content[at + 16 : at + 20] = struct.pack(">I", 0x7FFFFFF0)
    assert "hours" in refused(bytes(content), media_root)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("front", [True, False], ids=["index first", "index last"])
def test_a_video_cut_short(part: float, front: bool, tmp_path: Path, media_root: Path) -> None:
    more = ("-movflags", "+faststart") if front else ()
    content = clip(tmp_path / "clip.mp4", 4, more=more).read_bytes()
    said = refused(content[: int(len(content) * part)], media_root)
    assert "ends early" in said or "cannot be decoded" in said or "read here" in said


def test_sound_without_a_picture(tmp_path: Path, media_root: Path) -> None:
    tone = film(["-f", "lavfi", "-i", "sine=d=1", "-c:a", "aac"], tmp_path / "tone.mp4")
    assert refused(tone, media_root) == "The file has no picture."


def test_a_picture_that_does_not_decode(tmp_path: Path, media_root: Path) -> None:
    content = bytearray(clip(tmp_path / "clip.mp4", 1, sound=False).read_bytes())
    at = content.find(b"mdat") + 4
    size = struct.unpack(">I", content[at - 8 : at - 4])[0]
    content[at : at + size - 8] = bytes(size - 8)
    refused(bytes(content), media_root)


def test_metadata_about_place_and_person_is_not_published(tmp_path: Path, media_root: Path) -> None:
    where = (
        "-metadata",
        "location=+51.5-000.1/",
        "-metadata",
        "title=At home",
        "-movflags",
        "use_metadata_tags",
    )
    drive(uploaded(clip(tmp_path / "clip.mp4", 1, more=where)))
    for file in (media_root / "public").rglob("*"):
        if file.is_file():
            assert b"51.5" not in file.read_bytes()
            assert b"At home" not in file.read_bytes()
