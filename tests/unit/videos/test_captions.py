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
