"""Captions: WebVTT files (https://www.w3.org/TR/webvtt1/), checked line by line before they reach a player.

Players silently skip what they cannot read, and so do the existing parsers, but whoever uploads a file needs to know
which line is wrong. Checked is what browsers rely on: the header, the times and their order.
"""

import re
from dataclasses import dataclass
from itertools import groupby

from django.conf.locale import LANG_INFO

from shop.catalogue.models import Product
from shop.videos.models import Caption

MAX_BYTES = 1024 * 1024  # two hours of dense talk need a tenth of it
_TIME = r"(?:(\d{2,}):)?([0-5]\d):([0-5]\d)\.(\d{3})"
_TIMING = re.compile(rf"{_TIME}[ \t]+-->[ \t]+{_TIME}(?:[ \t]+(.*))?")
_SETTING = re.compile(r"(vertical|line|position|size|align|region):\S+")
_NOT_CUES = ("NOTE", "STYLE", "REGION")


def _tag(code: str) -> str:
    """A language tag as browsers write it: pt-BR, zh-Hans."""
    language, *parts = code.split("-")
    return "-".join([language, *(part.upper() if len(part) == 2 else part.title() for part in parts)])


# Language tags, and what the languages call themselves.
LANGUAGES: dict[str, str] = {
    _tag(code): info["name_local"][:1].upper() + info["name_local"][1:]
    for code, info in sorted(LANG_INFO.items())
    if "name_local" in info
}


class NotCaptions(Exception):
    """The file is not WebVTT that can be shown; the message says why and where."""


@dataclass(frozen=True)
class Captions:
    text: str  # lines end with "\n"
    cues: int


def read(content: bytes) -> Captions:
    """The checked file; raises NotCaptions."""
    if len(content) > MAX_BYTES:
        raise NotCaptions(
            f"The file has {len(content):,} bytes, but captions may have {MAX_BYTES:,} at most."
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotCaptions(
            f"The file is not in UTF-8 (byte {error.start:,}). Save it with that encoding."
        ) from None
    if "\x00" in text:
        raise NotCaptions("The file has characters that are not text.")
    lines = _ended(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    if not re.fullmatch(r"WEBVTT(?:[ \t].*)?", lines[0]):
        raise NotCaptions("A WebVTT file begins with the line “WEBVTT”. Is this another format, such as SRT?")
    cues = _check(lines)
    if not cues:
        raise NotCaptions("There are no captions in the file.")
    return Captions("\n".join(lines), cues)


def save(product: Product, language: str, captions: Captions) -> Caption:
    """Add captions to a product's videos; they replace those in the same language."""
    saved, _ = Caption.objects.update_or_create(
        product=product, language=language, defaults={"label": LANGUAGES[language], "text": captions.text}
    )
    return saved


def _ended(lines: list[str]) -> list[str]:
    """A line of blanks is a line of a caption's words, as YouTube writes them; but before times it was meant to be
    empty, as an editor leaves it."""
    return [
        "" if not line.strip() and any("-->" in after for after in lines[number : number + 2]) else line
        for number, line in enumerate(lines, 1)
    ]


def _check(lines: list[str]) -> int:
    """The number of cues; raises NotCaptions with the first line that is wrong."""
    cues, latest, header = 0, -1, True
    for blank, numbered in groupby(enumerate(lines, 1), key=lambda line: not line[1]):
        block = list(numbered)
        if blank or not any(text.strip() for _, text in block):
            continue
        if header:  # lines right after the first one belong to the header, unless they are times
            header, block = False, block[1:] if len(block) > 1 and "-->" in block[1][1] else []
        if block and (not block[0][1].startswith(_NOT_CUES) or "-->" in block[0][1]):
            latest = _check_cue([text for _, text in block], block[0][0], latest)
            cues += 1
    return cues


def _check_cue(block: list[str], line: int, latest: int) -> int:
    """When the cue begins, in milliseconds; not before `latest`. `line` is the number of the block's first line."""
    if "-->" not in block[0]:  # the cue's name
        block, line = block[1:], line + 1
    if not block or not (found := _TIMING.fullmatch(block[0].strip())):
        raise NotCaptions(f"Line {line}: there should be times here, as in “00:01.000 --> 00:04.000”.")
    begin, end = _milliseconds(found.groups()[:4]), _milliseconds(found.groups()[4:8])
    if end <= begin:
        raise NotCaptions(f"Line {line}: this caption ends before it begins.")
    if begin < latest:
        raise NotCaptions(f"Line {line}: this caption begins before the one above it.")
    for setting in (found.group(9) or "").split():
        if not _SETTING.fullmatch(setting):
            raise NotCaptions(f"Line {line}: “{setting[:40]}” is not a setting of a caption.")
    for number, text in enumerate(block[1:], start=line + 1):
        if "-->" in text:
            raise NotCaptions(f"Line {number}: “-->” is inside a caption; an empty line is missing above it.")
    return begin


def _milliseconds(parts: tuple[str | None, ...]) -> int:
    hours, minutes, seconds, rest = (int(part or 0) for part in parts)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + rest
