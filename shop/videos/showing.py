"""A published video as whoever plays it needs it: addresses, length, captions.

Its files lie in the public storage, in a folder named by its token, under the names below. The token is drawn anew for
each video, so an address never shows anything else, and browsers may keep what they got.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.core.files.storage import storages
from django.urls import reverse

from shop.catalogue.models import Product
from shop.videos import queries
from shop.videos.models import Caption, Video
from shop.videos.progress import Progress, progress_of

MASTER = "master.m3u8"
FALLBACK = "fallback.mp4"
POSTER = "poster.jpg"
THUMBNAILS = "thumbnails.vtt"


@dataclass(frozen=True, slots=True)
class Words:
    """Captions in one language."""

    language: str
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Showing:
    """Addresses are as the public storage gives them: paths of the shop itself, or with a bucket whole URLs."""

    token: str
    hls: str
    mp4: str
    poster: str
    thumbnails: str
    seconds: float
    width: int
    height: int
    captions: Sequence[Words]

    @property
    def length(self) -> str:
        """As players write it: 1:05, or 1:00:05."""
        minutes, seconds = divmod(round(self.seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


@dataclass(frozen=True, slots=True)
class Coming:
    """A new video that staff watch being made ready, and what became of it."""

    video: Video
    progress: Progress

    @property
    def running(self) -> bool:
        return self.video.state in Video.UNDER_WAY

    @property
    def published(self) -> bool:
        return self.video.state == Video.State.PUBLISHED


def coming_of(product: Product) -> Coming | None:
    """The newest video of this product that is not ready yet."""
    video = queries.under_way(product)
    return Coming(video, progress_of(video)) if video else None


def showing_of(product: Product) -> Showing | None:
    """What is shown of this product: one query when it has no video, two when it has."""
    video = queries.published(product)
    return _showing(video, product) if video else None


def folder(video: Video) -> str:
    """Where in the public storage its files lie."""
    return f"videos/{video.token}"


def _showing(video: Video, product: Product) -> Showing:
    public, inside = storages["public"], folder(video)
    captions = Caption.objects.filter(product=product).defer("text")
    return Showing(
        token=str(video.token),
        hls=public.url(f"{inside}/{MASTER}"),
        mp4=public.url(f"{inside}/{FALLBACK}"),
        poster=public.url(f"{inside}/{POSTER}"),
        thumbnails=public.url(f"{inside}/{THUMBNAILS}"),
        seconds=(video.duration_ms or 0) / 1000,
        width=video.width or 16,
        height=video.height or 9,
        captions=[_words(caption, product) for caption in captions],
    )


def _words(caption: Caption, product: Product) -> Words:
    address = reverse("captions", args=[product.sku, caption.language])
    return Words(caption.language, caption.label, address)
