"""Signed links to private files, valid for a few minutes.

Whoever has the link gets the file without a login: it works in another tab, in a program, or behind a proxy that strips
cookies. So it must expire soon, and it names the page where people get a new one.
"""

from dataclasses import astuple, dataclass
from datetime import timedelta

from django.core import signing
from django.urls import reverse

LIVES = timedelta(minutes=10)
_SALT = "shop.downloads"


@dataclass(frozen=True, slots=True)
class Download:
    """A file by its name under MEDIA_ROOT; its name for people; and the page that links to it."""

    name: str
    filename: str
    content_type: str
    back: str


class Expired(Exception):
    """The link is ours but too old; `download` is what it led to."""

    def __init__(self, download: Download) -> None:
        super().__init__(f"The link to {download.filename} is older than {LIVES}.")
        self.download = download


def link(download: Download) -> str:
    sealed = signing.TimestampSigner(salt=_SALT).sign_object(astuple(download))
    return reverse("file", args=[sealed, download.filename])


def link_to(name: str, filename: str, content_type: str, back: str) -> str:
    """The same for those who may not import this module (settings.FILES_LINKED_BY)."""
    return link(Download(name, filename, content_type, back))


def open_link(sealed: str) -> Download:
    """What the link leads to. Raises Expired, or django.core.signing.BadSignature for a link that is not ours."""
    signer = signing.TimestampSigner(salt=_SALT)
    try:
        return Download(*signer.unsign_object(sealed, max_age=LIVES))
    except signing.SignatureExpired:
        raise Expired(Download(*signer.unsign_object(sealed))) from None
