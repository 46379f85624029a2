"""The same failure has the same fingerprint, whichever order it hit and however the file's lines have moved.

It is made of the task, the error's class, the functions of ours that it came through (not their line numbers) and the
first line of its message, without what varies from order to order. Functions of libraries are left out: an upgrade must
not make a second group of the same bug.
"""

import re
import traceback
from hashlib import sha256
from pathlib import Path

from django.conf import settings

# In this order: a number within an address must not split it.
_VARYING = (
    (re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE), "<uuid>"),
    (re.compile(r"[\w.+-]+@\w[\w-]*(?:\.[\w-]+)*"), "<address>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b(?=\w*\d)(?=\w*[^\W\d])\w{12,}\b"), "<id>"),
    (re.compile(r"\d+(?:[.,:]\d+)*"), "#"),
)


def fingerprint(task: str, error: BaseException) -> str:
    """64 hexadecimal digits, the same for the same failure of the same task."""
    parts = (task, name_of(error), *_way(error), normalised(str(error)))
    return sha256("\n".join(parts).encode(errors="replace")).hexdigest()


def normalised(message: str) -> str:
    """The message's first line (the rest of a database's is the row it was about) without what varies."""
    line = message.strip().partition("\n")[0].rstrip()
    for pattern, instead in _VARYING:
        line = pattern.sub(instead, line)
    return line


def name_of(error: BaseException) -> str:
    """The error's class, with its module."""
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _way(error: BaseException) -> list[str]:
    """The functions of ours that it came through; one that calls itself counts once.

    What surrounds a step (workers) is left out, unless there is nothing else: a dry run comes another way.
    """
    way: list[str] = []
    for frame in traceback.extract_tb(error.__traceback__):
        place = f"{where}:{frame.name}" if (where := _ours(frame.filename)) else ""
        if place and place not in way[-1:]:
            way.append(place)
    return [place for place in way if not place.startswith("workers/")] or way


def _ours(filename: str) -> str:
    """The file's path within the project, "" for a library's."""
    path = Path(filename)
    if not path.is_relative_to(settings.BASE_DIR) or "site-packages" in path.parts:
        return ""
    return path.relative_to(settings.BASE_DIR).as_posix()
