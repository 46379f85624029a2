"""Whose forms are taken, and the Content-Security-Policy of each part of the site.

The pages of the shop obey the strict policy of the settings: nothing inline and nothing from elsewhere, except
published videos when their storage is a bucket with an address of its own. Two parts that we do not write cannot: the
admin (Unfold runs Alpine, which evaluates expressions, and puts styles into tags) and the documentation of the API
(Swagger UI, started by a script in the page). They get what they need under their own paths, and no other page does.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from urllib.parse import urlsplit

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.core.files.storage import Storage, storages
from django.http import HttpRequest, HttpResponseBase

GetResponse = Callable[[HttpRequest], HttpResponseBase]

_STYLES = {"style-src": [SELF, UNSAFE_INLINE]}
_RELAXED = {
    "/admin/": {"script-src": [SELF, UNSAFE_INLINE, UNSAFE_EVAL], **_STYLES},
    "/api/docs/": {"script-src": [SELF, UNSAFE_INLINE], **_STYLES},
}
# What a player loads of a video: the MP4, playlists with their pieces, posters with their thumbnails.
_VIDEO = ("media-src", "connect-src", "img-src")


class ContentSecurityPolicyMiddleware(CSPMiddleware):
    """django-csp's middleware with a policy by path; a view's own decorators still win."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if report_only or parts.replace is not None:
            return parts
        for prefix, directives in _RELAXED.items():
            if request.path_info.startswith(prefix):
                return replace(parts, replace=directives)
        if parts.update is None and (bucket := _origin(storages["public"])):
            return replace(parts, update={directive: [bucket] for directive in _VIDEO})
        return parts


def believe_the_browser(get_response: GetResponse) -> GetResponse:
    """Middleware before Django's check against forged requests, for which a browser's own word is enough.

    With each POST browsers say where it comes from, in headers that no page can set: Sec-Fetch-Site, or Origin where
    the connection is not encrypted. So a page that is the same for all visitors needs no token of each
    (shop.pages.shared). What says neither, or comes from elsewhere, needs the token as ever; so does all of the admin.

    Relies on an attribute by which Django 5.2 marks a request that it has checked. Noticed by:
    tests/integration/shop/test_shared_pages.py.
    """

    def believing(request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith("/admin/") and _says_that_it_is_ours(request):
            request.csrf_processing_done = True  # type: ignore[attr-defined]
        return get_response(request)

    return believing


def _says_that_it_is_ours(request: HttpRequest) -> bool:
    if site := request.headers.get("Sec-Fetch-Site"):
        return site == "same-origin"
    return request.headers.get("Origin") == f"{request.scheme}://{request.get_host()}"


@cache
def _origin(storage: Storage) -> str:
    """Where a storage's files are when that is elsewhere: https://videos.example.com. Empty for paths of our own."""
    address = urlsplit(storage.url("videos"))
    return f"{address.scheme}://{address.netloc}" if address.netloc else ""
