"""A WebVTT file is accepted whole, or refused with the line that is wrong."""

import pytest

from shop.videos.captions import LANGUAGES, MAX_BYTES, NotCaptions, read

GOOD = """WEBVTT - of the kettle
Kind: captions

NOTE who wrote this
and when

STYLE
::cue { color: yellow }

first
00:01.000 --> 00:04.000 line:90% align:start
It whistles.
<b>Loudly.</b>

00:04.000 --> 01:00:05.500
Then it is done.
"""


@pytest.mark.parametrize("content", [GOOD, GOOD.replace("\n", "\r\n"), "\ufeff" + GOOD, GOOD.rstrip("\n")])
def test_valid_captions(content: str) -> None:
    captions = read(content.encode())
    assert captions.cues == 2
    assert captions.text.strip() == GOOD.strip()


YOUTUBE = """WEBVTT
Kind: captions
Language: en

00:00:00.160 --> 00:00:02.389 align:start position:0%
@
it<00:00:00.400><c> whistles</c>

00:00:02.389 --> 00:00:02.399 align:start position:0%
it whistles
@

00:00:02.399 --> 00:00:04.000 align:start position:0%
it whistles
loudly
""".replace("@", " ")


@pytest.mark.parametrize(
    ("content", "cues"),
    [
        (YOUTUBE, 3),
        (YOUTUBE.replace("\n \n", "\n\u00a0\n"), 3),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\na\n\t\n00:02.000 --> 00:03.000\nb\n", 2),
        ("WEBVTT\n \n00:01.000 --> 00:02.000\na\n  \nname\n00:02.000 --> 00:03.000\nb\n \n\n  ", 2),
    ],
    ids=["YouTube", "no-break blanks", "a tab between", "blanks between"],
)
def test_lines_of_blanks(content: str, cues: int) -> None:
    """Within a caption they are a line of it; before times they were meant to be empty, and are made so."""
    captions = read(content.encode())
    assert captions.cues == cues
    times = [number for number, line in enumerate(captions.text.split("\n")) if "-->" in line]
    assert all(not captions.text.split("\n")[number - 1].isspace() for number in times)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "begins with the line"),
        (b"1\n00:00:01,000 --> 00:00:02,000\nHello\n", "such as SRT"),
        (b"WEBVTTX\n\n00:01.000 --> 00:02.000\na", "begins with the line"),
        (b"WEBVTT\n\nNOTE nothing\n", "no captions in"),
        (b"WEBVTT\n\n00:01,000 --> 00:02,000\na", "Line 3: there should be times here"),
        (b"WEBVTT\n\nname\n", "Line 4: there should be times here"),
        (b"WEBVTT\n\n00:61.000 --> 02:00.000\na", "Line 3: there should be times here"),
        (b"WEBVTT\n\n00:02.000 --> 00:02.000\na", "Line 3: this caption ends before"),
        (
            b"WEBVTT\n\n00:02.000 --> 00:03.000\na\n\n00:01.000 --> 00:02.000\nb",
            "Line 6: this caption begins before",
        ),
        (b"WEBVTT\n\n00:02.000 --> 00:03.000 colour:red\na", "not a setting"),
        (
            b"WEBVTT\n\n00:02.000 --> 00:03.000\na\n00:04.000 --> 00:05.000\nb",
            "Line 5: \u201c-->\u201d is inside",
        ),
        ("WEBVTT\n\n00:02.000 --> 00:03.000\ncafé".encode("latin-1"), "not in UTF-8"),
        (b"WEBVTT\n\n00:02.000 --> 00:03.000\na\0", "not text"),
        (b"WEBVTT\n\n" + b"x" * MAX_BYTES, "at most"),
    ],
)
def test_invalid_captions(content: bytes, said: str) -> None:
    with pytest.raises(NotCaptions, match=said):
        read(content)


def test_languages_are_named_as_browsers_and_people_name_them() -> None:
    assert LANGUAGES["en"] == "English"
    assert LANGUAGES["de"] == "Deutsch"
    assert LANGUAGES["pt-BR"] == "Português Brasileiro"
    assert LANGUAGES["zh-Hans"] == "简体中文"
