"""What the video card on a product's page in the admin shows: what comes in, what is being made, what is published.

It comes with the page, and is loaded again every two seconds while anything moves. It is made from the tables alone, so
it shows the same in every browser, and also while somebody else uploads.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.files.storage import storages
from django.http import HttpRequest
from django.utils import timezone

from shop.catalogue.models import Product
from shop.videos import captions, files, limits, uploads
from shop.videos.models import Upload, Video
from shop.videos.progress import Progress, progress_of

# Unfold's colours of labels; a state that is not here is grey.
COLOURS = {
    Video.State.WAITING: "info",
    Video.State.ENCODING: "info",
    Video.State.JOINING: "info",
    Video.State.PUBLISHED: "success",
    Video.State.REFUSED: "danger",
    Video.State.FAILED: "danger",
    Video.State.CANCELLED: "warning",
    Video.State.REMOVED: "warning",
}
_LATELY = timedelta(seconds=30)  # since its last piece; an upload that is silent for longer has stopped
_PAST = 4  # videos that are neither made nor shown any more
MOVING, QUIET = 2, 20  # seconds until it is loaded again


@dataclass(frozen=True)
class ComingIn:
    upload: Upload
    percent: int
    stopped: bool


@dataclass(frozen=True)
class Shown:
    """A video as the card shows it."""

    video: Video
    colour: str
    progress: Progress
    under_way: bool
    retryable: bool
    removable: bool
    poster: str  # address of its picture, or ""


def moving_part(product: Product) -> dict[str, Any]:
    """What changes by itself."""
    coming = [_coming(upload) for upload in product.uploads.all()]
    videos = product.videos.all()
    current = [*videos.filter(state__in=Video.UNDER_WAY), *videos.filter(state=Video.State.PUBLISHED)]
    past = videos.exclude(state__in=(*Video.UNDER_WAY, Video.State.PUBLISHED))[:_PAST]
    shown = [_shown(video) for video in [*current, *past]]
    moves = any(one.under_way for one in shown) or any(not one.stopped for one in coming)
    return {"product": product, "coming": coming, "videos": shown, "look_again": MOVING if moves else QUIET}


def whole(product: Product) -> dict[str, Any]:
    return {
        **moving_part(product),
        "accepted": limits.ACCEPTED,
        "extensions": ",".join(f".{one}" for one in limits.EXTENSIONS),
        "max_bytes": settings.VIDEO_MAX_BYTES,
        "kept_days": uploads.KEPT.days,
        "captions": [(one, one.text.count("-->")) for one in product.captions.all()],
        "languages": captions.LANGUAGES.items(),
    }


def rights(request: HttpRequest) -> dict[str, bool]:
    """What whoever looks may do, for the card's buttons."""
    return {
        "may_upload": request.user.has_perm("videos.add_video"),
        "may_change": request.user.has_perm("videos.change_video"),
        "may_caption": request.user.has_perm("videos.change_caption"),
    }


def _coming(upload: Upload) -> ComingIn:
    kept = uploads.KEPT if upload.offset else uploads.UNSENT
    silent = timezone.now() - (upload.expires_at - kept)
    return ComingIn(upload, int(100 * upload.offset / upload.size), silent > _LATELY)


def _shown(video: Video) -> Shown:
    state = Video.State(video.state)
    published = state is Video.State.PUBLISHED
    return Shown(
        video=video,
        colour=COLOURS.get(state, ""),
        progress=progress_of(video),
        under_way=state in Video.UNDER_WAY,
        retryable=state in (Video.State.FAILED, Video.State.CANCELLED) and bool(video.source),
        removable=published or (state is Video.State.REPLACED and video.due_at is not None),
        poster=storages["public"].url(f"{files.folder(video.token)}/{files.POSTER}") if published else "",
    )
