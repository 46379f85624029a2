"""Sets pages from typst templates. Each process keeps a compiler for each template, because what it learns (fonts, the
parsed template) makes the next page cheap.

The fonts come with typst and from two packages of Noto, and never from the machine, so that a page looks the same
wherever it is made: Latin, Greek, Cyrillic, Chinese, Japanese, Korean, the scripts of South and South-East Asia, of the
Middle East and of Ethiopia, and emoji. A template gets strings, which it sets as text and never evaluates, so nobody
can write markup into an address.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import Any

import typst

FONTS = [Path(str(files(package))) for package in ("manimgx_fonts", "manimgx_fonts_cjk")]
_PROBE = Path(__file__).with_name("probe.typ")
# A word within JSON, with the blank before it, that is not all ASCII.
_WORD = re.compile(r' ?[^" ]*[^\x00-\x7f" ][^" ]*')
# What picks a variant of the sign before it: of an emoji, of a Chinese character, a box around a digit.
_VARIANTS = re.compile("[\ufe00-\ufe0f\u20e3\U000e0000-\U000e0fff]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_LACKING = "\N{REPLACEMENT CHARACTER}"

# Words longer than this may be broken, without a hyphen, after every so many letters.
_LONG_WORD, _PIECE = 24, 12
_BREAK_HERE = "\N{ZERO WIDTH SPACE}"
# A compiler serves one thread at a time; another web thread waits a few milliseconds.
_compiling = Lock()


def typeset(
    template: Path,
    inputs: Mapping[str, str],
    standards: Sequence[Any],
    moment: datetime,
    *,
    root: Path | None = None,
) -> bytes:
    """The PDF, of these standards ("a-2b"): the same bytes for the same inputs and moment. Raises typst.TypstError.

    The template may read pictures in the folder `root`, by default its own.
    """
    with _compiling:
        made: Any = _compiler(template, root or template.parent).compile(
            format="pdf",
            sys_inputs=dict(inputs),
            pdf_standards=list(standards),
            timestamp=int(moment.timestamp()),
        )
    if not isinstance(made, bytes):
        raise TypeError(f"typst answered with {type(made).__name__} instead of one PDF of {template.name}")
    return made


def lacks_a_letter(error: typst.TypstError) -> bool:
    """Whether it failed because no font has a letter; an archival PDF may leave none out."""
    return "could not be displayed with" in error.message


def displayable(text: str) -> str:
    """The text with a sign of replacement for each that no font has, for a page that may leave none out.

    Typst names the first sign that it lacks and stops, so it is asked word by word, whose signs shape each other. Only
    the text of a page that could not be set comes here.
    """
    return _WORD.sub(lambda found: next(form for form in _forms(found[0]) if _has_font(form)), text)


def _forms(word: str) -> Iterator[str]:
    """The word as it is and ever more plainly; the last is always displayable."""
    yield word
    word = _VARIANTS.sub("", word)
    yield word
    word = _NOT_ASCII.sub(lambda sign: sign[0] if _has_font(sign[0]) else _LACKING, word)
    yield word
    # Marks on letters for which they are not made, and emoji joined to what is none.
    yield "".join(sign for sign in word if unicodedata.category(sign)[0] not in "MC")
    yield _NOT_ASCII.sub(_LACKING, word)


@lru_cache(4096)
def _has_font(text: str) -> bool:
    try:
        typeset(_PROBE, {"text": text}, ["a-2b"], datetime.fromtimestamp(0, UTC))
    except typst.TypstError as error:
        if not lacks_a_letter(error):
            raise
        return False
    return True


def breakable(text: str) -> str:
    """The text with places at which a word longer than its column may be broken."""
    if all(len(word) <= _LONG_WORD for word in text.split()):
        return text
    return " ".join(
        _BREAK_HERE.join(word[start : start + _PIECE] for start in range(0, len(word), _PIECE))
        if len(word) > _LONG_WORD
        else word
        for word in text.split(" ")
    )


def address(lines: Sequence[str], city: str, postcode: str, country: str) -> list[str]:
    return [breakable(line) for line in (*lines, f"{city} {postcode}".strip(), country) if line]


@cache
def _compiler(template: Path, root: Path) -> typst.Compiler:
    """Made at the first page and not before: its threads would not survive a worker's fork."""
    return typst.Compiler(input=template, root=root, font_paths=FONTS, ignore_system_fonts=True)
