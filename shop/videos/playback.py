"""A product's video as its page and the API need it: the player's data, and for staff how far a new video is.

Each function makes one query for one product; lists of products ask nothing about videos.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.core.files.storage import storages
from django.urls import reverse

from shop.catalogue.models import Product
from shop.videos import files
from shop.videos.models import Caption, Video
from shop.videos.progress import Progress, progress_of


@dataclass(frozen=True, slots=True)
class CaptionTrack:
    """Captions in one language."""

    language: str
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Playback:
    """What a player needs. Addresses are those of the public storage: paths of the shop, or URLs of a bucket."""

    token: str
    hls: str
    mp4: str
    poster: str
    thumbnails: str
    seconds: float
    width: int
    height: int
    captions: Sequence[CaptionTrack]

    @property
    def length(self) -> str:
        """As players write it: 1:05, or 1:00:05."""
        minutes, seconds = divmod(round(self.seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


@dataclass(frozen=True, slots=True)
class Preparation:
    """A new video whose progress staff follow, up to its end."""

    video: Video
    progress: Progress

    @property
    def running(self) -> bool:
        return self.video.state in Video.UNDER_WAY

    @property
    def published(self) -> bool:
        return self.video.state == Video.State.PUBLISHED


def published(product: Product) -> Video | None:
    """The video that shoppers see; a product has one at most."""
    return Video.objects.filter(product=product, state=Video.State.PUBLISHED).first()


def preparation_of(product: Product) -> Preparation | None:
    """The newest video of this product that is not ready yet."""
    video = Video.objects.filter(product=product, state__in=Video.UNDER_WAY).order_by("-id").first()
    return Preparation(video, progress_of(video)) if video else None


def playback_of(product: Product) -> Playback | None:
    """The product's published video; a second query, for its captions, is made only when there is one."""
    if not (video := published(product)):
        return None
    folder = files.folder(video.token)
    hls, mp4, poster, thumbnails = (
        storages["public"].url(f"{folder}/{name}")
        for name in (files.MASTER, files.FALLBACK, files.POSTER, files.THUMBNAILS)
    )
    return Playback(
        token=str(video.token),
        hls=hls,
        mp4=mp4,
        poster=poster,
        thumbnails=thumbnails,
        seconds=(video.duration_ms or 0) / 1000,
        width=video.width or 16,
        height=video.height or 9,
        captions=[
            CaptionTrack(one.language, one.label, reverse("captions", args=[product.sku, one.language]))
            for one in Caption.objects.filter(product=product).defer("text")
        ],
    )
