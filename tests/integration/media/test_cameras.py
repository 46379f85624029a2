"""What cameras, phones and browsers really make: shown as it was meant, by every browser."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import mean

import av
import pytest

from shop.videos.models import Segment, Video
from tests.filming import clip, facts, film, frames, uploaded
from tests.integration.media.conftest import drive, published_folder
from workers.media import ladder

pytestmark = pytest.mark.django_db(transaction=True)

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "25")
BARS = "testsrc2=s=320x240:r=25:d=5"


def made(file: Path) -> tuple[Video, Path]:
    video = drive(uploaded(file))
    assert video.state == Video.State.PUBLISHED, video.problem
    return video, published_folder(video)


def picture(file: Path, number: int = 0) -> list[bytes]:
    """The lines of a frame: red, green and blue of each pixel, 0 to 255."""
    with av.open(str(file)) as container:
        for at, frame in enumerate(container.decode(video=0)):
            if at == number:
                plane = frame.reformat(format="rgb24").planes[0]
                content, wide = bytes(plane), plane.line_size
                return [content[line * wide :][: 3 * frame.width] for line in range(frame.height)]
    raise AssertionError(f"{file} has no frame {number}")


def differ(one: Sequence[bytes], other: Sequence[bytes]) -> float:
    """By how much, on average, of 255."""
    return mean(
        mean(abs(a - b) for a, b in zip(*lines, strict=True)) for lines in zip(one, other, strict=True)
    )


def marks(file: Path) -> tuple[int, int, int, int]:
    """What a file says of its colours: transfer, primaries, matrix and range, by their numbers in ITU-T H.273."""
    with av.open(str(file)) as container:
        context = container.streams.video[0].codec_context
        return (
            int(context.color_trc),
            int(context.color_primaries),
            int(context.colorspace),
            int(context.color_range),
        )


@pytest.mark.parametrize(("transfer", "hdr"), [("arib-std-b67", "hlg"), ("smpte2084", "pq")])
def test_hdr_looks_as_it_would_without(transfer: str, hdr: str, tmp_path: Path) -> None:
    plain = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
    to_hdr = (
        f"{plain},zscale=t=linear:npl=203,format=gbrpf32le,"
        f"zscale=p=bt2020:t={transfer}:m=bt2020nc:npl=203,format=yuv420p10le"
    )
    marked = ("-color_trc", transfer, "-color_primaries", "bt2020", "-colorspace", "bt2020nc")
    bright = film(
        [
            "-f",
            "lavfi",
            "-i",
            BARS,
            "-vf",
            to_hdr,
            "-c:v",
            "libx265",
            "-x265-params",
            "log-level=none",
            *marked,
        ],
        tmp_path / "phone.mov",
    )
    expected = picture(film(["-f", "lavfi", "-i", BARS, "-vf", plain, *X264], tmp_path / "plain.mp4"))
    video, folder = made(bright)
    assert video.hdr == hdr
    assert Segment.objects.filter(video=video, number__gt=0).count() > 1
    for name in ("240p.m4s", "fallback.mp4"):
        assert marks(folder / name) == (1, 1, 1, 1)  # BT.709, 16 to 235
        assert differ(picture(folder / name), expected) < 16
    assert len(frames(folder / "fallback.mp4")) == 125


def combed(of: list[bytes]) -> float:
    """How much more neighbouring lines differ than those two apart: a comb has much above 1."""
    return differ(of[1:], of[:-1]) / (differ(of[2:], of[:-2]) + 0.01)


@pytest.mark.parametrize(
    ("coded", "ending"),
    [
        (
            ("-c:v", "libx264", "-preset", "ultrafast", "-flags", "+ilme+ildct", "-x264-params", "tff=1"),
            "mp4",
        ),
        (
            ("-c:v", "libx264", "-preset", "ultrafast", "-flags", "+ilme+ildct", "-x264-params", "bff=1"),
            "mkv",
        ),
        (("-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-b:v", "8M"), "mov"),
    ],
    ids=["top first", "bottom first", "MPEG-2"],
)
def test_half_pictures_become_whole_ones(coded: Sequence[str], ending: str, tmp_path: Path) -> None:
    moving = (
        "color=black:s=320x240:r=50:d=4[wall];color=white:s=24x160:r=50:d=4[bar];"
        "[wall][bar]overlay=x=mod(t*400\\,300):y=40"
    )
    order = "bff" if "bff=1" in coded else "tff"
    filters = f"interlace=scan={order}:lowpass=off,setfield={order}"
    source = film(
        ["-f", "lavfi", "-i", moving, "-vf", filters, *coded, "-g", "25"], tmp_path / f"tape.{ending}"
    )
    assert combed(picture(source, 30)) > 2
    video, folder = made(source)
    assert video.is_interlaced
    original = frames(source)
    for name in ("240p.m4s", "fallback.mp4"):
        assert frames(folder / name) == pytest.approx(original, abs=0.0012)
        assert combed(picture(folder / name, 30)) < 1.5


@pytest.mark.parametrize("rate", ["120", "240", "120000/1001"])
def test_slow_motion_is_shown_at_sixty_frames(rate: str, tmp_path: Path) -> None:
    _, folder = made(clip(tmp_path / "slow.mov", 5, rate=rate))
    shown = frames(folder / "fallback.mp4")
    steps = [after - before for before, after in pairwise(shown)]
    assert len(shown) == pytest.approx(5 * ladder.FASTEST, abs=5)
    assert max(steps) < 2.1 / ladder.FASTEST
    assert (
        "FRAME-RATE=60.000" in (folder / "master.m3u8").read_text()
        or "FRAME-RATE=59.9" in (folder / "master.m3u8").read_text()
    )


@pytest.mark.parametrize("turn", ["90", "180", "270", "mirrored"])
def test_it_stands_as_the_camera_was_held(turn: str, tmp_path: Path) -> None:
    lying = film(["-f", "lavfi", "-i", BARS.replace("d=5", "d=2"), *X264], tmp_path / "lying.mp4")
    how = ["-display_hflip"] if turn == "mirrored" else ["-display_rotation", turn]
    source = film([*how, "-i", str(lying), "-c", "copy"], tmp_path / "held.mp4")
    upright = film(["-i", str(source), *X264], tmp_path / "upright.mp4")  # as ffmpeg turns it
    video, folder = made(source)
    assert (video.width, video.height) == ((240, 320) if turn in ("90", "270") else (320, 240))
    assert differ(picture(folder / "240p.m4s"), picture(upright)) < 6


def test_a_browsers_recording_has_neither_length_nor_index(tmp_path: Path) -> None:
    recorded = film(
        [
            *("-f", "lavfi", "-i", "testsrc2=s=320x240:r=30:d=5", "-f", "lavfi", "-i", "sine=d=5"),
            *("-vf", "setpts=PTS+0.009*mod(N\\,3)/TB", "-fps_mode", "vfr"),
            *(
                "-c:v",
                "libvpx",
                "-deadline",
                "realtime",
                "-g",
                "100",
                "-c:a",
                "libopus",
                "-f",
                "webm",
                "-live",
                "1",
            ),
        ],
        tmp_path / "recorded.webm",
    )
    video, folder = made(recorded)
    assert video.duration_ms == pytest.approx(5_000, abs=60)
    assert frames(folder / "fallback.mp4") == pytest.approx(frames(recorded), abs=0.0012)
    assert facts(folder / "fallback.mp4")["sounds"] == 1


TRACKS: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "sound shorter than the picture": (
        ("-f", "lavfi", "-i", "sine=d=2"),
        ("-map", "0", "-map", "1", "-c:a", "aac"),
    ),
    "sound before the picture": (
        ("-itsoffset", "-0.8", "-f", "lavfi", "-i", "sine=d=5"),
        ("-map", "0", "-map", "1", "-c:a", "aac"),
    ),
    "sound long after the picture": (
        ("-itsoffset", "3", "-f", "lavfi", "-i", "sine=d=2"),
        ("-map", "0", "-map", "1", "-c:a", "aac"),
    ),
    "a timecode": ((), ("-timecode", "10:00:00:00")),
    "eight channels": (
        ("-f", "lavfi", "-i", "anullsrc=cl=7.1:d=5"),
        ("-map", "0", "-map", "1", "-c:a", "aac"),
    ),
    "8 kHz mono": (("-f", "lavfi", "-i", "sine=d=5:r=8000"), ("-map", "0", "-map", "1", "-c:a", "pcm_s16le")),
    "a second picture": (
        ("-f", "lavfi", "-i", "color=red:s=64x64:r=25:d=5"),
        ("-map", "0", "-map", "1"),
    ),
    "subtitles": (("-f", "srt", "-i", "{srt}"), ("-map", "0", "-map", "1", "-c:s", "mov_text")),
}


@pytest.mark.parametrize("tracks", TRACKS)
def test_whatever_else_is_in_the_file(tracks: str, tmp_path: Path) -> None:
    words = tmp_path / "words.srt"
    words.write_text("1\n00:00:00,000 --> 00:00:02,000\nHello\n")
    inputs, outputs = TRACKS[tracks]
    inputs = [part.replace("{srt}", str(words)) for part in inputs]
    source = film(["-f", "lavfi", "-i", BARS, *inputs, *outputs, *X264], tmp_path / "camera.mov")
    video, folder = made(source)
    original = frames(source)
    for name in ("240p.m4s", "fallback.mp4"):
        shown = frames(folder / name)
        assert len(shown) == len(original)
        moved = original[0] - shown[0]
        assert [at + moved for at in shown] == pytest.approx(original, abs=0.0012)
    whole = facts(folder / "fallback.mp4")
    assert (whole["width"], whole["height"]) == (320, 240)
    assert whole["sounds"] == (1 if video.has_audio else 0)


@pytest.mark.parametrize(("rate", "seconds"), [("25", 0.04), ("1", 8), ("1/4", 24), ("1000", 2)])
def test_few_and_many_frames(rate: str, seconds: float, tmp_path: Path) -> None:
    source = clip(tmp_path / "odd.mp4", seconds, rate=rate, sound=False)
    _, folder = made(source)
    shown = frames(folder / "fallback.mp4")
    assert shown
    if rate != "1000":
        assert shown == pytest.approx(frames(source), abs=0.0012)


@pytest.mark.parametrize("codec", ["mjpeg", "h264"])
def test_black_and_white_stay_what_they_are(codec: str, tmp_path: Path) -> None:
    """Webcams and some phones use all 256 steps of brightness, players expect 16 to 235."""
    coded = ("-c:v", "mjpeg", "-q:v", "2") if codec == "mjpeg" else (*X264, "-qp", "5")
    source = film(
        [
            *("-f", "lavfi", "-i", "color=white:s=320x240:r=25:d=2,drawbox=w=160:h=240:c=black:t=fill"),
            *("-vf", "scale=out_range=pc,format=yuvj420p", *coded),
        ],
        tmp_path / "webcam.mov",
    )
    _, folder = made(source)
    seen = picture(folder / "fallback.mp4")
    assert mean(seen[120][3 * 40 : 3 * 120]) < 4
    assert mean(seen[120][3 * 200 : 3 * 280]) > 251
    assert marks(folder / "fallback.mp4")[3] in (0, 1)


@pytest.mark.parametrize("rate", ["25", "1/2"])
def test_a_sound_that_goes_on_is_heard_to_its_end(rate: str, tmp_path: Path) -> None:
    """The last picture stays meanwhile, as in the recording of a screen on which nothing moves."""
    source = film(
        [
            *("-f", "lavfi", "-i", f"testsrc2=s=320x240:r={rate}:d=4", "-f", "lavfi", "-i", "sine=d=9.5"),
            *("-map", "0", "-map", "1", *X264, "-c:a", "aac"),
        ],
        tmp_path / "screen.mp4",
    )
    video, folder = made(source)
    original, shown = frames(source), frames(folder / "fallback.mp4")
    assert video.duration_ms == pytest.approx(9_500, abs=60)
    assert shown[: len(original)] == pytest.approx(original, abs=0.0012)
    assert 8 <= shown[-1] < 9.5
    with av.open(str(folder / "fallback.mp4")) as whole:
        assert (whole.duration or 0) / av.time_base == pytest.approx(9.5, abs=0.6)
    assert differ(picture(folder / "fallback.mp4", len(shown) - 1), picture(source, len(original) - 1)) < 6
