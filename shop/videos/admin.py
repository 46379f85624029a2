"""Videos at the operator's desk: the list of all, and what the card on a product's page can have done.

Nothing of a video is edited: it is uploaded (over the API, by the card's script), cancelled or tried again, each by a
POST, and each is written into the desk's log. htmx gets the card's moving part back, a browser without it the page.
"""


# Unfold has no types.
# mypy: disable-error-code="misc, untyped-decorator"

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.template.defaultfilters import filesizeformat
from django.urls import path, reverse
from django.utils.html import format_html
from unfold.decorators import display

from orders.admin.desk import ReadOnlyAdmin, briefly
from shop.catalogue.models import Product
from shop.videos import actions, captions, desk, uploads
from shop.videos.models import Caption, Upload, Video
from shop.videos.progress import progress_of


@admin.register(Video)
class VideoAdmin(ReadOnlyAdmin):
    list_display = ("numbered", "of", "stands", "how_far", "file", "by", "sent")
    list_filter = ("state", "created_at")
    list_select_related = ("product",)
    search_fields = ("product__sku", "product__name", "filename")
    search_help_text = "SKU, words of the product's name or of the file's"
    fields = (
        "of",
        "stands",
        "how_far",
        "file",
        "by",
        "created_at",
        "started_at",
        "published_at",
        "ended_at",
        "problem",
        "checksum",
        "attempts_total",
    )
    readonly_fields = fields

    @display(description="Video", ordering="id")
    def numbered(self, video: Video) -> str:
        return str(video)

    @display(description="Product", ordering="product__name")
    def of(self, video: Video) -> str:
        return format_html(
            '<a class="text-link" href="{}">{}</a>', _page_of(video.product_id), video.product.name
        )

    @display(description="State", ordering="state", label=desk.COLOURS)
    def stands(self, video: Video) -> tuple[str, str]:
        return video.state, video.get_state_display()

    @display(description="How far")
    def how_far(self, video: Video) -> str:
        return progress_of(video).words

    @display(description="File", ordering="size")
    def file(self, video: Video) -> str:
        return f"{video.filename}, {filesizeformat(video.size)}"

    @display(description="Uploaded", ordering="id")
    def sent(self, video: Video) -> str:
        return briefly(video.created_at)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("of/<int:product_id>/", view(self.standing_view), name="videos_video_standing"),
            path("<int:video_id>/cancel/", view(self.cancel_view), name="videos_video_cancel"),
            path("<int:video_id>/retry/", view(self.retry_view), name="videos_video_retry"),
            path("uploads/<uuid:token>/discard/", view(self.discard_view), name="videos_upload_discard"),
            path("of/<int:product_id>/captions/", view(self.captions_view), name="videos_captions"),
            path("captions/<int:caption_id>/remove/", view(self.uncaption_view), name="videos_uncaption"),
            *super().get_urls(),
        ]

    def standing_view(self, request: HttpRequest, product_id: int) -> HttpResponse:
        """What moves on the card. To be looked at; needs what the product's page needs."""
        _may(request, "catalogue.view_product")
        product = get_object_or_404(Product, pk=product_id)
        return render(request, "shop/desk/_videos.html", desk.standing(product) | desk.rights(request))

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

    def _act(self, request: HttpRequest, what: Any, permission: str, act: Any) -> HttpResponse:
        """Do it, for a POST of who may; then the card's moving part for htmx, else back to the product's page."""
        _may(request, permission)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        product_id = what.pk if isinstance(what, Product) else what.product_id
        said, refused = "", ""
        try:
            said = act(what)
        except _Refused as reason:
            refused = str(reason)
        if "HX-Request" in request.headers:
            context = desk.standing(Product.objects.get(pk=product_id)) | desk.rights(request)
            return render(request, "shop/desk/_videos.html", {**context, "refused": refused})
        messages.add_message(request, messages.ERROR if refused else messages.SUCCESS, refused or said)
        return HttpResponseRedirect(f"{_page_of(product_id)}#video")


class _Refused(Exception):
    """What was asked for cannot be; the message is for people."""


def _may(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _page_of(product_id: int) -> str:
    return reverse("admin:catalogue_product_change", args=[product_id])
