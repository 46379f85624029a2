"""The sizes of a video, where it is cut, and the content of playlists and thumbnails."""

import re

import pytest

from shop.videos.progress import _roughly
from workers.media import concatenation, ladder, thumbnails
from workers.media.concatenation import Piece, Track
from workers.media.ladder import Rendition, renditions, timescale
from workers.media.probing import cuts, segment_seconds


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1920, 1080), ["1920x1080", "1280x720", "854x480", "426x240"]),
        ((3840, 2160), ["1920x1080", "1280x720", "854x480", "426x240"]),
        ((1080, 1920), ["1080x1920", "720x1280", "480x854", "240x426"]),
        ((1280, 720), ["1280x720", "854x480", "426x240"]),
        ((1920, 804), ["1720x720", "1146x480", "574x240"]),
        ((640, 360), ["640x360", "426x240"]),
        ((160, 120), ["160x120"]),
        ((131, 97), ["130x96"]),
    ],
)
def test_no_rendition_is_larger_than_its_source(size: tuple[int, int], expected: list[str]) -> None:
    found = renditions(*size)
    assert [f"{rendition.width}x{rendition.height}" for rendition in found] == expected
    assert [rendition.kbits for rendition in found] == sorted(
        (rendition.kbits for rendition in found), reverse=True
    )


@pytest.mark.parametrize(
    ("rate", "ticks"),
    [
        ("25", 90_000),
        ("30000/1001", 90_000),
        ("24000/1001", 24_000),
        ("60", 90_000),
        ("1234567/41152", 90_000),
    ],
)
def test_the_times_of_frames_are_whole_numbers(rate: str, ticks: int) -> None:
    assert timescale(rate) == ticks


def test_the_fallback_is_of_middle_size() -> None:
    assert ladder.fallback(renditions(1920, 1080)).name == "720p"
    assert ladder.fallback(renditions(640, 360)).name == "360p"


def frames(seconds: float, key_each: float, rate: float = 25) -> list[tuple[float, bool]]:
    count = round(seconds * rate)
    return [(number * 1000 / rate, not number % round(key_each * rate)) for number in range(count)]


def test_it_is_cut_before_key_frames_near_the_target() -> None:
    assert cuts(frames(40, 2), 8) == [5_999, 11_999, 17_999, 23_999, 29_999, 35_999]


def test_without_a_key_frame_it_is_cut_at_an_ordinary_one() -> None:
    assert cuts(frames(40, 1_000), 8) == [15_999, 31_999]


def test_a_short_rest_belongs_to_the_one_before() -> None:
    assert cuts(frames(9, 8), 8) == []
    assert cuts(frames(3, 1), 8) == []
    assert cuts([], 8) == []


def test_it_is_never_cut_where_frames_are_too_close() -> None:
    close = [(0.0, True), *((6_000.0 + 0.5 * number, True) for number in range(4)), (9_100.0, False)]
    assert cuts(close, 8) == [5_999]
    assert cuts(
        [(0.0, True), (7_999.2, False), (8_000.0, True), (20_000.0, False), (30_000.0, False)], 8
    ) == [19_999]


def test_a_short_video_is_shared_evenly() -> None:
    assert segment_seconds(60, 8) == 5
    assert segment_seconds(6, 8) == 2
    assert segment_seconds(14_400, 8) == 8


def track(name: str, *pieces: Piece) -> Track:
    return Track(name, "avc1.64001f", 700, 100, list(pieces), [0.0, 2.0])


def test_a_playlist_points_into_one_file() -> None:
    said = concatenation.playlist(track("720p", Piece(700, 1_000, 0.0, 4.0), Piece(1_700, 500, 4.0, 6.5)))
    assert '#EXT-X-MAP:URI="720p.m4s",BYTERANGE="700@0"' in said
    assert "#EXT-X-TARGETDURATION:4" in said
    assert re.findall(r"BYTERANGE:(\S+)", said) == ["1000@700", "500@1700"]
    assert said.endswith("#EXT-X-ENDLIST\n")


def test_the_master_playlist_begins_with_the_middle_size_and_names_the_sound() -> None:
    pictures = [
        (rendition, track(rendition.name, Piece(700, 100_000, 0.0, 4.0)))
        for rendition in renditions(1920, 1080)
    ]
    said = concatenation.master(pictures, track("sound", Piece(700, 10_000, 0.0, 4.0)), 29.97)
    assert next(line for line in said.splitlines() if line.endswith("p.m3u8")) == "480p.m3u8"
    assert said.count('AUDIO="sound"') == 4
    assert "BANDWIDTH=220000" in said


@pytest.mark.parametrize(
    "pieces",
    [
        (Piece(7_000, 900, 0.0, 0.3),),
        (Piece(7_000, 10_000, 0.0, 4.0), Piece(17_000, 400, 4.0, 4.2)),
        (Piece(7_000, 100, 0.0, 4.0), Piece(7_100, 5_000, 4.0, 4.1)),
    ],
)
def test_the_average_is_never_above_the_peak(pieces: tuple[Piece, ...]) -> None:
    """In a short clip its head is a large part of the file."""
    made = Track("240p", "avc1.64001f", 7_000, 100, list(pieces), [0.0])
    assert made.average <= made.peak


def test_thumbnails_tell_when_and_where() -> None:
    sheets = thumbnails.layout(Rendition("240p", 426, 240, 400), 3)
    assert (sheets.step, sheets.across, sheets.down, sheets.width, sheets.height) == (1, 3, 1, 160, 90)
    said = thumbnails.vtt(sheets, [0.0, 2.0, 4.0], 5.5)
    assert "00:00:02.000 --> 00:00:04.000\nthumbnails-01.jpg#xywh=160,0,160,90" in said
    assert "00:00:04.000 --> 00:00:05.500" in said


def test_a_long_video_has_a_limited_number_of_thumbnails() -> None:
    sheets = thumbnails.layout(Rendition("240p", 426, 240, 400), 7_200)
    assert sheets.tiles <= thumbnails.MOST
    keys = [2.0 * number for number in range(7_200)]
    said = thumbnails.vtt(sheets, keys, 14_400)
    assert said.count("-->") == sheets.tiles
    assert "thumbnails-04.jpg" in said
    assert "thumbnails-05.jpg" not in said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(1, "5 s"), (23, "25 s"), (99, "100 s"), (100, "2 min"), (5_340, "89 min"), (7_500, "2 h 5 min")],
)
def test_an_estimate_is_rounded_as_people_say_it(seconds: int, said: str) -> None:
    assert _roughly(seconds) == said
