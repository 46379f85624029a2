"""What may be uploaded as a video: how large, under which names, and with which first bytes.

Name and type are only claims of the sender: checking them saves people from sending the wrong file. The content
decides. Its first bytes tell a video's container from everything else before the rest is sent. Whether there is a video
inside that we can encode is for the pipeline's probe to find out.
"""

import unicodedata
from pathlib import PurePosixPath

from django.conf import settings
from django.template.defaultfilters import filesizeformat

from shop.videos.refusals import NotAVideo, TooLarge

EXTENSIONS = ("mp4", "m4v", "mov", "mkv", "webm")
ACCEPTED = "MP4, MOV, MKV or WebM"
MAX_NAME = 255  # characters
SMALLEST = 1024  # bytes; every encoder makes larger files
BEGINNING = 64  # bytes that are enough to recognise a file

# Browsers announce "application/octet-stream" for what they do not know; most do not know .mkv.
_TYPES = ("video/", "application/octet-stream", "application/mp4", "application/x-matroska")
# The first box of an ISO base media file (MP4, MOV); old QuickTime files begin without "ftyp".
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
# Pictures in the same container: HEIF and AVIF.
_PICTURES = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis")
_EBML = b"\x1a\x45\xdf\xa3"
_DOCTYPES = (b"matroska", b"webm")


def clean_name(name: str) -> str:
    """The file's name for people to read, never a path: without control characters, line ends and marks that turn the
    reading direction, and not longer than MAX_NAME."""
    last = name.replace("\\", "/").rpartition("/")[2]
    # Cc and Cf hold NUL, line feeds and marks of reading direction; Cs, Co and Cn nothing readable.
    readable = "".join(
        " " if unicodedata.category(one) in ("Zs", "Zl", "Zp") else one
        for one in unicodedata.normalize("NFC", last)
        if unicodedata.category(one) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )
    cleaned = " ".join(readable.split()).strip(" .")
    if len(cleaned) > MAX_NAME:
        ending = PurePosixPath(cleaned).suffix[:16]
        cleaned = cleaned[: MAX_NAME - len(ending)].rstrip(" .") + ending
    return cleaned or "video"


def check_name(name: str, kind: str) -> None:
    """Refuse a file that does not claim to be a video. `name` is cleaned; `kind` is the media type or ""."""
    extension = PurePosixPath(name).suffix.lower().removeprefix(".")
    if extension not in EXTENSIONS:
        raise NotAVideo(f"“{name}” is not named like a video. Choose an {ACCEPTED} file.")
    if kind and not kind.lower().startswith(_TYPES):
        raise NotAVideo(
            f"“{name}” is announced as {kind[:100]}, which is no video. Choose an {ACCEPTED} file."
        )


def check_size(name: str, size: int) -> None:
    """Refuse a file that is too large or too small; `size` in bytes."""
    if size > settings.VIDEO_MAX_BYTES:
        raise TooLarge(
            f"“{name}” has {filesizeformat(size)}, and {filesizeformat(settings.VIDEO_MAX_BYTES)} is the most that is "
            "accepted. Export it with a lower bitrate or in a smaller size."
        )
    if size < SMALLEST:
        raise NotAVideo(f"“{name}” has {size:,} bytes: too few for a video. Is the file complete?")


def check_beginning(name: str, beginning: bytes) -> None:
    """Refuse a file whose first BEGINNING bytes are not those of a video's container."""
    if not _is_container(beginning):
        raise NotAVideo(f"“{name}” does not hold a video, whatever its name says. Choose an {ACCEPTED} file.")


def _is_container(beginning: bytes) -> bool:
    if beginning.startswith(_EBML):
        return any(doctype in beginning[:BEGINNING] for doctype in _DOCTYPES)
    box = beginning[4:8]
    return box in _BOXES and not (box == b"ftyp" and beginning[8:12] in _PICTURES)
