"""The headers of tus 1.0.0 (https://tus.io/protocols/resumable-upload), read and checked; nothing is kept here."""

import base64
import binascii
import re
from collections.abc import Mapping

from shop.api import problems
from shop.videos.uploads import CHECKSUMS, Announcement

VERSION = "1.0.0"
EXTENSIONS = "creation,expiration,termination,checksum"
CONTENT_TYPE = "application/offset+octet-stream"
MAX_METADATA = 4096  # characters

_NUMBER = re.compile(r"\d{1,18}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def number(meta: Mapping[str, str], header: str, what: str) -> int:
    """A header that is a count of bytes; raises a Problem that names the header."""
    value = meta.get(f"HTTP_{header.upper().replace('-', '_')}", "")
    if not _NUMBER.fullmatch(value) or not value.isascii():
        raise problems.invalid({header: [f"This has to be {what}, as a whole number of bytes."]})
    return int(value)


def announcement(header: str, size: int) -> Announcement:
    """Read Upload-Metadata, `key base64,key base64`; raises a Problem that names what is wrong."""
    if not header.isascii() or not header.isprintable():
        raise problems.invalid({"Upload-Metadata": ["Only visible ASCII characters can stand in it."]})
    if len(header) > MAX_METADATA:
        raise problems.invalid({"Upload-Metadata": [f"Up to {MAX_METADATA:,} characters are read."]})
    found: dict[str, str] = {}
    for pair in filter(None, (one.strip() for one in header.split(","))):
        key, _, encoded = pair.partition(" ")
        if key in found:
            raise problems.invalid({"Upload-Metadata": [f"It names “{key[:40]}” twice."]})
        try:
            found[key] = base64.b64decode(encoded.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            reason = f"The value of “{key[:40]}” has to be UTF-8 text in base64."
            raise problems.invalid({"Upload-Metadata": [reason]}) from None
    errors = {key: ["Upload-Metadata has to name it."] for key in ("sku", "filename") if not found.get(key)}
    if "\x00" in found.get("sku", ""):
        errors["sku"] = ["There is no product with this SKU."]
    if (checksum := found.get("sha256", "").lower()) and not _SHA256.fullmatch(checksum):
        errors["sha256"] = ["This has to be a SHA-256 in hexadecimal: 64 digits."]
    if errors:
        raise problems.invalid(errors)
    return Announcement(found["sku"], found["filename"], size, found.get("filetype", ""), checksum, header)


def checksum(header: str) -> tuple[str, bytes] | None:
    """Read Upload-Checksum: `sha1 base64`; None when there is none."""
    if not header:
        return None
    algorithm, _, encoded = header.strip().partition(" ")
    if algorithm not in CHECKSUMS:
        raise problems.invalid(
            {"Upload-Checksum": [f"The algorithm has to be one of {', '.join(CHECKSUMS)}."]}
        )
    try:
        return algorithm, base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error:
        raise problems.invalid({"Upload-Checksum": ["The digest has to be in base64."]}) from None
