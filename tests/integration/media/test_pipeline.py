"""From an upload to what a shopper watches: every frame at its time, in all sizes, whatever the camera was."""

import math
import subprocess
from pathlib import Path
from typing import Any

import pytest

from shop.videos.models import Segment, Video
from tests.filming import clip, facts, film, frames, uploaded
from tests.integration.media.conftest import drive, files_under, published_folder
from workers.media.ffmpeg import binary

pytestmark = pytest.mark.django_db(transaction=True)

X264 = ("-c:v", "libx264", "-preset", "ultrafast")


def made(file: Path) -> tuple[Video, Path]:
    video = drive(uploaded(file))
    assert video.state == Video.State.PUBLISHED, video.problem
    return video, published_folder(video)


def test_a_video_is_made(tmp_path: Path, media_root: Path) -> None:
    source = clip(tmp_path / "clip.mp4", 6, size="640x480", picture=(*X264, "-g", "25"))
    video, folder = made(source)
    assert (video.width, video.height, video.frame_rate, video.has_audio) == (640, 480, "25", True)
    assert video.duration_ms is not None
    assert math.isclose(video.duration_ms, 6_000, abs_tol=30)
    assert Segment.objects.filter(video=video, number__gt=0).count() == 3
    assert {path.name for path in folder.iterdir()} == {
        *(f"{name}.{ending}" for name in ("480p", "240p", "sound") for ending in ("m3u8", "m4s")),
        *("master.m3u8", "fallback.mp4", "poster.jpg", "thumbnails.vtt", "thumbnails-01.jpg"),
    }
    assert facts(folder / "fallback.mp4")["sounds"] == 1
    assert facts(folder / "poster.jpg")["width"] == 640
    assert video.source == ""
    assert all(name.startswith("public/") for name in files_under(media_root))  # source and work are gone


SOURCES: dict[str, dict[str, Any]] = {
    "29.97 frames a second": {"rate": "30000/1001"},
    "23.976 frames a second": {"rate": "24000/1001"},
    "key frames far apart": {"picture": (*X264, "-g", "500")},
    "B-frames and open GOPs": {
        "picture": ("-c:v", "libx264", "-preset", "fast", "-x264-params", "open-gop=1:keyint=40:bframes=4")
    },
    "10 bit": {"picture": ("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le")},
    "odd size": {"size": "131x97", "picture": (*X264, "-pix_fmt", "yuv444p")},
    "portrait": {"size": "96x128"},
    "no sound": {"sound": False},
    "VP9 in WebM": {
        "picture": ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"),
        "more": ("-c:a", "libopus"),
        "ending": "webm",
    },
    "Matroska": {"ending": "mkv"},
    "fragmented": {"more": ("-movflags", "frag_keyframe+empty_moov")},
    "begins late": {"more": ("-output_ts_offset", "7.5"), "ending": "mkv"},
    "frames at odd times": {
        "picture": (
            "-vf",
            "setpts=PTS+0.004*mod(N\\,7)/TB",
            "-fps_mode",
            "vfr",
            *X264,
            "-g",
            "33",
            "-enc_time_base",
            "1:90000",
        )
    },
    "a pause of seconds": {
        "picture": ("-vf", "setpts=if(gt(N\\,60)\\,PTS+2.3/TB\\,PTS)", "-fps_mode", "vfr", *X264, "-g", "25")
    },
}


@pytest.mark.parametrize("source", SOURCES)
def test_no_frame_is_lost_or_moved(source: str, tmp_path: Path) -> None:
    """Every frame of the source is there once, at its time, and no other."""
    options = dict(SOURCES[source])
    ending = options.pop("ending", "mp4")
    file = clip(tmp_path / f"source.{ending}", 5, **options)
    video, folder = made(file)
    original = frames(file)
    assert Segment.objects.filter(video=video, number__gt=0).count() > 1
    for name in (folder / f"{min(video.width or 0, video.height or 0)}p.m4s", folder / "fallback.mp4"):
        copy = frames(name)
        assert len(copy) == len(original)
        begins = original[0] - copy[0]
        assert begins == pytest.approx(7.5 if source == "begins late" else 0, abs=0.03)
        assert max(abs(a - b - begins) for a, b in zip(original, copy, strict=True)) < 0.0012


def test_a_rotated_video_stands_upright(tmp_path: Path) -> None:
    lying = clip(tmp_path / "lying.mp4", 2, size="320x240")
    file = film(["-display_rotation", "90", "-i", str(lying), "-c", "copy"], tmp_path / "turned.mp4")
    video, folder = made(file)
    assert (video.width, video.height) == (240, 320)
    measured = facts(folder / "240p.m4s")
    assert (measured["width"], measured["height"]) == (240, 320)


def test_pixels_that_are_not_square_are_made_square(tmp_path: Path) -> None:
    file = clip(tmp_path / "wide.mp4", 2, size="160x240", picture=("-vf", "setsar=2", *X264))
    video, folder = made(file)
    assert (video.width, video.height) == (320, 240)
    assert facts(folder / "240p.m4s")["width"] == 320


def test_the_first_of_several_sounds_is_taken(tmp_path: Path) -> None:
    file = film(
        [
            *("-f", "lavfi", "-i", "testsrc2=s=128x96:d=2", "-f", "lavfi", "-i", "sine=f=440:d=2"),
            *("-f", "lavfi", "-i", "sine=f=880:d=2", "-map", "0", "-map", "1", "-map", "2", *X264),
        ],
        tmp_path / "two.mp4",
    )
    _, folder = made(file)
    assert facts(folder / "fallback.mp4")["sounds"] == 1


def begins(file: Path) -> float:
    """The second at which the tone is first heard."""
    listen = [
        "-hide_banner",
        "-nostdin",
        "-i",
        str(file),
        "-af",
        "silencedetect=n=-30dB:d=0.1",
        "-f",
        "null",
        "-",
    ]
    heard = subprocess.run([binary(), *listen], capture_output=True, text=True).stderr
    return float(heard.partition("silence_end: ")[2].split()[0])


@pytest.mark.parametrize("late", ["0", "0.35"])
def test_picture_and_sound_keep_together(late: str, tmp_path: Path) -> None:
    """A tone that begins at a second begins there still, in what HLS plays and in the one file; to five thousandths."""
    file = film(
        [
            *("-f", "lavfi", "-i", "testsrc2=s=128x96:d=3:r=25"),
            *(
                "-itsoffset",
                late,
                "-f",
                "lavfi",
                "-i",
                "aevalsrc='if(gt(t,1.2),sin(2000*t),0)':d=2.5:s=44100",
            ),
            *(*X264, "-c:a", "pcm_s16le"),
        ],
        tmp_path / "tone.mov",
    )
    _, folder = made(file)
    expected = 1.2 + float(late)
    assert begins(file) == pytest.approx(expected, abs=0.002)
    for name in ("fallback.mp4", "sound.m4s"):
        assert begins(folder / name) == pytest.approx(expected, abs=0.005)
