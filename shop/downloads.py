"""Links to files that no web server hands out by itself: signed, good for minutes, and then worth nothing.

Whoever has the link gets the file, without a login: it can be opened in another tab, by a program, or behind a proxy
that strips cookies. So it must not live long, and it names the page where a new one is to be had.
"""

from dataclasses import astuple, dataclass
from datetime import timedelta

from django.core import signing
from django.urls import reverse

LIVES = timedelta(minutes=10)
_SALT = "shop.downloads"


@dataclass(frozen=True, slots=True)
class Download:
    """A file by its name under MEDIA_ROOT, what it is called for people, and the page that leads to it."""

    name: str
    filename: str
    content_type: str
    back: str


class Expired(Exception):
    """The link was good and is too old; `download` is what it led to."""

    def __init__(self, download: Download) -> None:
        super().__init__(f"The link to {download.filename} is older than {LIVES}.")
        self.download = download


def link(download: Download) -> str:
    sealed = signing.TimestampSigner(salt=_SALT).sign_object(astuple(download))
    return reverse("file", args=[sealed, download.filename])


def link_to(name: str, filename: str, content_type: str, back: str) -> str:
    """The same for who may not import this module (settings.FILES_LINKED_BY)."""
    return link(Download(name, filename, content_type, back))


def open_link(sealed: str) -> Download:
    """What the link leads to. Raises Expired, or django.core.signing.BadSignature for one that we did not make."""
    signer = signing.TimestampSigner(salt=_SALT)
    try:
        return Download(*signer.unsign_object(sealed, max_age=LIVES))
    except signing.SignatureExpired:
        raise Expired(Download(*signer.unsign_object(sealed))) from None
