"""Captions: WebVTT files (https://www.w3.org/TR/webvtt1/), checked line by line before anybody's player meets them.

A player drops what it cannot read without a word, and so do the parsers that there are; whoever uploads a file wants to
hear which line is wrong. What is checked is what browsers rely on: the header, the times, their order.
"""

import re
from dataclasses import dataclass

from django.conf.locale import LANG_INFO

from shop.catalogue.models import Product
from shop.videos.models import Caption

MAX_BYTES = 1024 * 1024  # two hours of dense talk have a tenth of it
_TIME = r"(?:(\d{2,}):)?([0-5]\d):([0-5]\d)\.(\d{3})"
_TIMING = re.compile(rf"{_TIME}[ \t]+-->[ \t]+{_TIME}(?:[ \t]+(.*))?")
_SETTING = re.compile(r"(vertical|line|position|size|align|region):\S+")
_NOT_CUES = ("NOTE", "STYLE", "REGION")


def _tag(code: str) -> str:
    """As browsers write it: pt-BR, zh-Hans."""
    language, *parts = code.split("-")
    return "-".join([language, *(part.upper() if len(part) == 2 else part.title() for part in parts)])


# Language tags and the languages' own names.
LANGUAGES: dict[str, str] = {
    _tag(code): info["name_local"][:1].upper() + info["name_local"][1:]
    for code, info in sorted(LANG_INFO.items())
    if "name_local" in info
}


class NotCaptions(Exception):
    """The file is no WebVTT that can be shown; the message says why and where."""


@dataclass(frozen=True)
class Captions:
    text: str  # with "\n" at the ends of lines
    cues: int


def read(content: bytes) -> Captions:
    """The checked file; raises NotCaptions."""
    if len(content) > MAX_BYTES:
        raise NotCaptions(
            f"The file has {len(content):,} bytes, and {MAX_BYTES:,} are the most for captions."
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotCaptions(
            f"The file is not in UTF-8 (byte {error.start:,}). Save it once more with that encoding."
        ) from None
    if "\x00" in text:
        raise NotCaptions("The file holds characters that are no text.")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not re.fullmatch(r"WEBVTT(?:[ \t].*)?", lines[0]):
        raise NotCaptions("A WebVTT file begins with the line “WEBVTT”. Is this another format, such as SRT?")
    cues = _check(lines)
    if not cues:
        raise NotCaptions("There is not one caption in the file.")
    return Captions("\n".join(lines), cues)


def keep(product: Product, language: str, captions: Captions) -> Caption:
    """Add captions to a product's videos, in place of those in the same language."""
    kept, _ = Caption.objects.update_or_create(
        product=product, language=language, defaults={"label": LANGUAGES[language], "text": captions.text}
    )
    return kept


def _check(lines: list[str]) -> int:
    """The number of cues; raises NotCaptions with the first line that is wrong."""
    cues, latest, number = 0, -1, 1
    if number < len(lines) and lines[number].strip() and "-->" not in lines[number]:
        # Lines right after the header belong to it.
        while number < len(lines) and lines[number].strip():
            number += 1
    while number < len(lines):
        if not lines[number].strip():
            number += 1
            continue
        end = number
        while end < len(lines) and lines[end].strip():
            end += 1
        block = lines[number:end]
        if not block[0].startswith(_NOT_CUES) or "-->" in block[0]:
            latest = _check_cue(block, number + 1, latest)
            cues += 1
        number = end
    return cues


def _check_cue(block: list[str], line: int, latest: int) -> int:
    """When the cue begins, in milliseconds; it must not begin before `latest`. `line` is where the block begins."""
    if "-->" not in block[0]:  # a name of the cue
        block, line = block[1:], line + 1
    if not block or not (found := _TIMING.fullmatch(block[0].strip())):
        raise NotCaptions(f"Line {line}: here should be times, as in “00:01.000 --> 00:04.000”.")
    begin, end = _milliseconds(found.groups()[:4]), _milliseconds(found.groups()[4:8])
    if end <= begin:
        raise NotCaptions(f"Line {line}: this caption ends before it begins.")
    if begin < latest:
        raise NotCaptions(f"Line {line}: this caption begins before the one above it.")
    for setting in (found.group(9) or "").split():
        if not _SETTING.fullmatch(setting):
            raise NotCaptions(f"Line {line}: “{setting[:40]}” is no setting of a caption.")
    for number, text in enumerate(block[1:], start=line + 1):
        if "-->" in text:
            raise NotCaptions(
                f"Line {number}: “-->” stands within a caption; an empty line is missing above it."
            )
    return begin


def _milliseconds(parts: tuple[str | None, ...]) -> int:
    hours, minutes, seconds, rest = (int(part or 0) for part in parts)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + rest
