"""Which signs a text may hold, whatever its script: what can be seen, and what joins or shapes what can be seen.

A name or an address goes into a database, an e-mail, a page, a parcel label and a PDF; what one of them cannot show is
refused by name, here. What people paste along without seeing it (direction marks from a phone book, no-break spaces
from a web page) is no fault of theirs and changes nothing that can be read, so it is taken out.
"""

import re
import unicodedata

# Controls, halves of surrogate pairs, private use, what Unicode has not assigned, and separators of lines: each either
# breaks something or has no shape that anybody agrees on.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})
# They turn round what stands behind them, and so the line of a label.
_OVERRIDES = frozenset("\N{LEFT-TO-RIGHT OVERRIDE}\N{RIGHT-TO-LEFT OVERRIDE}")
# Soft hyphen, zero-width space and no-break space, word joiner, marks and ends of direction, annotations: nothing to
# see. Fillers of Hangul and Khmer are letters or marks by their category, and nothing to see either. Not the two
# joiners U+200C and U+200D, with which Persian and the scripts of India spell.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202c\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff9-\ufffb]"
)
_LINK = re.compile(r"://|\bwww\.", re.IGNORECASE)


def cleaned(text: str) -> str:
    """The text composed (NFC), with plain blanks, and without what cannot be seen. Raises ValueError for a sign that
    cannot be printed."""
    if text.isascii() and text.isprintable():
        return text
    text = _UNSEEN.sub("", unicodedata.normalize("NFC", text))
    kept = []
    for sign in text:
        if sign.isprintable():
            kept.append(sign)
            continue
        category = unicodedata.category(sign)
        if category in _UNPRINTABLE or sign in _OVERRIDES:
            raise ValueError(f"This holds {named(sign)}, which cannot be printed. Please leave it out.")
        kept.append(" " if category == "Zs" else sign)
    return "".join(kept)


def plain(text: str) -> str:
    """The same for what is written in ASCII: letters and digits of full width, as Japanese keyboards give them, become
    the plain ones."""
    return text if text.isascii() else cleaned(unicodedata.normalize("NFKC", text))


def has_letter_or_digit(text: str) -> bool:
    return any(sign.isalnum() for sign in text)


def has_link(text: str) -> bool:
    """Whether a program that shows the text would make a link of a part of it."""
    return bool(_LINK.search(text))


def named(sign: str) -> str:
    """A sign as people find it again: “ß” (U+00DF), or what it is called if it cannot be seen."""
    if sign.isprintable() and not sign.isspace():
        return f"“{sign}” (U+{ord(sign):04X})"
    words = {
        "Cc": "a line break or another control character",
        "Cs": "half a sign",
        "Co": "a sign of private use",
    }
    category = unicodedata.category(sign)
    what = words.get(category) or unicodedata.name(sign, "a sign that does not exist").lower()
    return f"{what} (U+{ord(sign):04X})"
