"""Where everything lies; each part of the storefront owns its own routes."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path

from shop.health import healthz, livez
from shop.pages.errors import not_found
from shop.signing_in import one_at_a_time

admin.autodiscover()

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz),
    path("livez", livez),
    path("admin/login/", one_at_a_time(admin.site.login)),
    # Django's way from a row to its page on the site: to a customer's page too, for staff without any right.
    re_path("^admin/r/", not_found),
    path("admin/", admin.site.urls),
    path("api/", include("shop.api.urls")),
    path("webhooks/", include("shop.webhooks.urls")),
    path("", include("shop.pages.urls")),
]
handler400 = "shop.pages.errors.bad_request"
handler403 = "shop.pages.errors.forbidden"
handler404 = "shop.pages.errors.not_found"
handler500 = "shop.pages.errors.server_error"
