"""What the product's page fetches by itself: captions for everybody, and for staff how far a new video has come.

Staff's part asks every two seconds instead of hearing of changes by the live process (shop.live): that one follows
orders, by what the relay publishes of their events. A video's progress is no event but a figure that moves all the
time, the few people who look at it ask for one indexed row, and so the heartbeat of an encoder tells nobody anything.
"""

from hashlib import sha256
from uuid import UUID

from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils.cache import get_conditional_response
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from shop.pages.request import ShopRequest
from shop.videos.models import Caption, Video
from shop.videos.progress import progress_of
from shop.videos.showing import Coming, showing_of


@require_safe
def captions(request: ShopRequest, sku: str, language: str) -> HttpResponseBase:
    """A WebVTT file. Browsers ask each time and get it only when it changed: a slip that was mended is seen at once."""
    found = get_object_or_404(
        Caption.objects.only("text"), product__sku=sku, product__active=True, language=language
    )
    text = found.text.encode()
    response = HttpResponse(text, content_type="text/vtt; charset=utf-8")
    response["Cache-Control"] = "no-cache"
    response["ETag"] = f'"{sha256(text).hexdigest()[:32]}"'
    return get_conditional_response(request, etag=response["ETag"], response=response) or response


@never_cache
@require_safe
def video_progress(request: ShopRequest, token: UUID) -> HttpResponse:
    """How far this video has come, for staff; when it is published and the page shows none, the player too."""
    if not request.user.is_staff:
        raise Http404("There is nothing here.")
    video = get_object_or_404(Video.objects.select_related("product"), token=token)
    coming, shows = Coming(video, progress_of(video)), request.GET.get("shows", "")
    context = {
        "coming": coming,
        "shows": shows,
        "product": video.product,
        "showing": showing_of(video.product) if coming.published and not shows else None,
        "swapped": True,
    }
    return render(request, "shop/_video_progress.html", context)
