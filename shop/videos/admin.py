"""Videos in the admin: the list of all, and what the buttons of the card on a product's page do.

Nothing of a video is edited: it is uploaded (over the API, by the card's script), cancelled, tried again or removed,
each by a POST, and each is written into the admin's log. htmx gets the card's moving part back, a browser without it
the page.
"""

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse

from orders.admin.base import ReadOnlyAdmin
from orders.admin.columns import briefly, column, link
from shop.catalogue.models import Product
from shop.videos import actions, captions, card, uploads
from shop.videos.models import Caption, Upload, Video
from shop.videos.progress import progress_of

Row = TypeVar("Row", Product, Video, Upload, Caption)


@admin.register(Video)
class VideoAdmin(ReadOnlyAdmin):
    list_display = ("numbered", "of", "status", "progress", "file", "by", "sent")
    list_filter = ("state", "created_at")
    list_select_related = ("product",)
    search_fields = ("product__sku", "product__name", "filename")
    search_help_text = "SKU, words of the product's name or of the file's"
    fields = (
        *("of", "state", "progress", "file", "by", "created_at", "started_at", "published_at", "ended_at"),
        *("problem", "checksum", "attempts_total"),
    )
    readonly_fields = fields
    numbered = column("Video", str, ordering="id")
    of = column(
        "Product",
        lambda video: link(_page_of(video.product_id), video.product.name),
        ordering="product__name",
    )
    status = column(
        "Status", lambda video: (video.state, video.get_state_display()), ordering="state", label=card.COLOURS
    )
    progress = column("Progress", lambda video: progress_of(video).words)
    file = column("File", lambda video: f"{video.filename}, {filesizeformat(video.size)}", ordering="size")
    sent = column("Uploaded", lambda video: briefly(video.created_at), ordering="id")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("of/<int:product_id>/", view(self.card_view), name="videos_video_standing"),
            path("<int:video_id>/cancel/", view(self.cancel_view), name="videos_video_cancel"),
            path("<int:video_id>/remove/", view(self.remove_view), name="videos_video_remove"),
            path("<int:video_id>/retry/", view(self.retry_view), name="videos_video_retry"),
            path("uploads/<uuid:token>/discard/", view(self.discard_view), name="videos_upload_discard"),
            path("of/<int:product_id>/captions/", view(self.captions_view), name="videos_captions"),
            path("captions/<int:caption_id>/remove/", view(self.uncaption_view), name="videos_uncaption"),
            *super().get_urls(),
        ]

    def card_view(self, request: HttpRequest, product_id: int) -> HttpResponse:
        """The card's moving part, to read; it needs what the product's page needs."""
        _check(request, "catalogue.view_product")
        return _moving_part(request, get_object_or_404(Product, pk=product_id))

    def cancel_view(self, request: HttpRequest, video_id: int) -> HttpResponse:
        def act(video: Video) -> str:
            if not actions.cancel(video, request.user.get_username()):
                raise _Refused("It is not being made any more.")
            self.log_change(request, video, "Cancelled.")
            return f"{video} is cancelled."

        return self._act(request, get_object_or_404(Video, pk=video_id), "videos.change_video", act)

    def retry_view(self, request: HttpRequest, video_id: int) -> HttpResponse:
        def act(video: Video) -> str:
            if not actions.retry(video, request.user.get_username()):
                raise _Refused("It cannot be tried again: its file has been thrown away. Upload it again.")
            self.log_change(request, video, "Tried again.")
            return f"{video} is tried again."

        return self._act(request, get_object_or_404(Video, pk=video_id), "videos.change_video", act)

    def remove_view(self, request: HttpRequest, video_id: int) -> HttpResponse:
        def act(video: Video) -> str:
            if not actions.remove(video, request.user.get_username()):
                raise _Refused("It is not shown any more.")
            self.log_change(request, video, "Removed.")
            return f"{video} is removed: no page shows it any more, and its files are deleted."

        return self._act(request, get_object_or_404(Video, pk=video_id), "videos.change_video", act)

    def discard_view(self, request: HttpRequest, token: UUID) -> HttpResponse:
        def act(upload: Upload) -> str:
            uploads.discard(upload.token)
            return f"What had arrived of “{upload.filename}” is thrown away."

        return self._act(request, get_object_or_404(Upload, pk=token), "videos.add_video", act)

    def captions_view(self, request: HttpRequest, product_id: int) -> HttpResponse:
        """Add captions, or replace those in the same language."""

        def act(product: Product) -> str:
            language, file = request.POST.get("language", ""), request.FILES.get("file")
            if language not in captions.LANGUAGES or file is None:
                raise _Refused("Choose a language and a WebVTT file (.vtt).")
            try:
                read = captions.read(file.read(captions.MAX_BYTES + 1))
            except captions.NotCaptions as wrong:
                raise _Refused(f"{file.name}: {wrong}") from None
            kept = captions.save(product, language, read)
            self.log_change(request, product, f"Captions in {kept.label} were put in.")
            return f"Captions in {kept.label}: {read.cues:,} are in."

        return self._act(request, get_object_or_404(Product, pk=product_id), "videos.change_caption", act)

    def uncaption_view(self, request: HttpRequest, caption_id: int) -> HttpResponse:
        def act(caption: Caption) -> str:
            caption.delete()
            self.log_change(request, caption.product, f"Captions in {caption.label} were removed.")
            return f"Captions in {caption.label} are removed."

        return self._act(request, get_object_or_404(Caption, pk=caption_id), "videos.change_caption", act)

    def _act(
        self, request: HttpRequest, row: Row, permission: str, act: Callable[[Row], str]
    ) -> HttpResponse:
        """Do it for a POST; then the card's moving part for htmx, else back to the product's page."""
        _check(request, permission)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        product = row if isinstance(row, Product) else row.product
        said, refused = "", ""
        try:
            said = act(row)
        except _Refused as reason:
            refused = str(reason)
        if "HX-Request" in request.headers:
            return _moving_part(request, product, refused)
        messages.add_message(request, messages.ERROR if refused else messages.SUCCESS, refused or said)
        return HttpResponseRedirect(f"{_page_of(product.pk)}#video")


class _Refused(Exception):
    """Nothing was done; the message says why."""


def _check(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _moving_part(request: HttpRequest, product: Product, refused: str = "") -> HttpResponse:
    context = {**card.moving_part(product), **card.rights(request), "refused": refused}
    return render(request, "shop/desk/_videos.html", context)


def _page_of(product_id: int) -> str:
    return reverse("admin:catalogue_product_change", args=[product_id])
