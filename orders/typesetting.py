"""Sets pages from typst templates. Each process keeps a compiler for each template, because what it learns (fonts, the
parsed template) makes the next page cheap.

The fonts in the typst wheel have Latin, Greek, Cyrillic, Hebrew, Arabic, Georgian and Armenian letters. Others,
Chinese, Japanese and Korean above all, come from the machine's fonts. A template gets strings, which it sets as text
and never evaluates, so nobody can write markup into an address.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import typst

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
    return typst.Compiler(input=template, root=root)
