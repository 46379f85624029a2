"""What a product's page fetches by itself: captions for everybody, and for staff how far a new video is.

The staff's part asks every two seconds and does not use the live process (shop.live), which follows the events of
orders. A video's progress is a figure that changes all the time and no event, and the few people who look at it cost
one indexed query each.
"""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import conditional_page, require_safe

from shop.pages.request import ShopRequest
from shop.videos.models import Caption, Video
from shop.videos.playback import Preparation, playback_of
from shop.videos.progress import progress_of


@conditional_page
@cache_control(no_cache=True)
@require_safe
def captions(_request: ShopRequest, sku: str, language: str) -> HttpResponse:
    """A WebVTT file. Browsers ask each time and get it only when it has changed, so a correction is seen at once."""
    found = get_object_or_404(
        Caption.objects.only("text"), product__sku=sku, product__active=True, language=language
    )
    return HttpResponse(found.text, content_type="text/vtt; charset=utf-8")


@never_cache
@require_safe
def video_progress(request: ShopRequest, token: UUID) -> HttpResponse:
    """How far this video is, for staff; once it is published and the page shows no video, the player too."""
    if not request.user.is_staff:
        raise Http404("There is nothing here.")
    video = get_object_or_404(Video.objects.select_related("product"), token=token)
    preparation, shows = Preparation(video, progress_of(video)), request.GET.get("shows", "")
    context = {
        "preparation": preparation,
        "shows": shows,
        "product": video.product,
        "playback": playback_of(video.product) if preparation.published and not shows else None,
        "swapped": True,
    }
    return render(request, "shop/_video_progress.html", context)
