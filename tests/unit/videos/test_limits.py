"""Names are for people and never a path; the first bytes tell what a file is."""

import struct
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.videos.limits import BEGINNING, MAX_NAME, check_beginning, clean_name
from shop.videos.refusals import NotAVideo


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("kettle.mp4", "kettle.mp4"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\Ada\\kettle.mp4", "kettle.mp4"),
        ("/etc/cron.d/kettle.mp4", "kettle.mp4"),
        ("kettle\x00.mp4", "kettle.mp4"),
        ("kettle\r\nSet-Cookie: a=b.mp4", "kettleSet-Cookie: a=b.mp4"),
        # A mark that turns the reading direction shows "kettle4pm.exe" as "kettleexe.mp4".
        ("kettle\u202e4pm.exe", "kettle4pm.exe"),
        ("кофе\u00a0и чай.mov", "кофе и чай.mov"),
        ("Kaffeekanne – groß.mkv", "Kaffeekanne – groß.mkv"),
        ("cafe\u0301.mp4", "café.mp4"),
        ("..", "video"),
        ("", "video"),
        (" . . ", "video"),
        ("x" * 400 + ".mp4", "x" * (MAX_NAME - 4) + ".mp4"),
    ],
)
def test_names(name: str, cleaned: str) -> None:
    assert clean_name(name) == cleaned


@given(st.text(max_size=600))
def test_no_name_is_a_path_or_has_unreadable_characters(name: str) -> None:
    cleaned = clean_name(name)
    assert 1 <= len(cleaned) <= MAX_NAME
    assert "/" not in cleaned
    assert "\\" not in cleaned
    assert cleaned not in (".", "..")
    assert not {unicodedata.category(one) for one in cleaned} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert clean_name(cleaned) == cleaned


def box(kind: bytes, brand: bytes = b"isom") -> bytes:
    return struct.pack(">I4s4sI", 24, kind, brand, 512).ljust(BEGINNING, b"\0")


MATROSKA = b"\x1a\x45\xdf\xa3\x93\x42\x82\x88matroska".ljust(BEGINNING, b"\0")
WEBM = b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82\x84webm".ljust(
    BEGINNING, b"\0"
)


@pytest.mark.parametrize(
    "beginning",
    [box(b"ftyp"), box(b"ftyp", b"qt  "), box(b"ftyp", b"M4V "), box(b"moov"), box(b"mdat"), MATROSKA, WEBM],
)
def test_beginnings_of_videos(beginning: bytes) -> None:
    check_beginning("a.mp4", beginning)


@pytest.mark.parametrize(
    "beginning",
    [
        b"#!/bin/sh\n",
        b"MZ\x90\x00",
        b"%PDF-1.7",
        b"#EXTM3U\n#EXTINF:10,\nhttp://10.0.0.1/",
        b"<?xml version='1.0'?><MPD>",
        b"ffconcat version 1.0\nfile /etc/passwd",
        box(b"ftyp", b"avif"),
        box(b"ftyp", b"heic"),
        b"\x1a\x45\xdf\xa3" + b"\0" * 60,
        b"RIFF\0\0\0\0AVI ",
        b"",
    ],
)
def test_beginnings_of_other_files(beginning: bytes) -> None:
    with pytest.raises(NotAVideo, match="does not hold a video"):
        check_beginning("a.mp4", beginning.ljust(BEGINNING, b"\0"))
