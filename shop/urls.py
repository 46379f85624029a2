"""Where everything lies; each part of the storefront owns its own routes."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from shop.health import healthz, livez

admin.autodiscover()

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz),
    path("livez", livez),
    path("admin/", admin.site.urls),
    path("api/", include("shop.api.urls")),
    path("webhooks/", include("shop.webhooks.urls")),
    path("", include("shop.pages.urls")),
]
handler400 = "shop.pages.errors.bad_request"
handler403 = "shop.pages.errors.forbidden"
handler404 = "shop.pages.errors.not_found"
handler500 = "shop.pages.errors.server_error"
