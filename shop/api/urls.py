"""The routes under /api/."""

from django.urls import path, re_path
from django.views.decorators.cache import cache_page
from drf_spectacular.views import SpectacularAPIView

from shop.api import pages
from shop.api.orders import CancelView, OrdersView, OrderView
from shop.api.products import ProductsView, ProductView
from shop.api.uploads import UploadsView, UploadView
from shop.api.videos import CancelVideoView, RetryVideoView, VideoView

# The schema changes with a release only, and making it takes longer than placing a hundred orders.
_schema = cache_page(3600)(SpectacularAPIView.as_view())

urlpatterns = [
    path("orders/", OrdersView.as_view(), name="api_orders"),
    path("orders/<slug:token>/", OrderView.as_view(), name="api_order"),
    path("orders/<slug:token>/cancel/", CancelView.as_view(), name="api_order_cancel"),
    path("products/", ProductsView.as_view(), name="api_products"),
    path("products/<str:sku>/", ProductView.as_view(), name="api_product"),
    path("uploads/", UploadsView.as_view(), name="api_uploads"),
    path("uploads/<uuid:token>/", UploadView.as_view(), name="api_upload"),
    path("videos/<uuid:token>/", VideoView.as_view(), name="api_video"),
    path("videos/<uuid:token>/cancel/", CancelVideoView.as_view(), name="api_video_cancel"),
    path("videos/<uuid:token>/retry/", RetryVideoView.as_view(), name="api_video_retry"),
    path("schema/", _schema, name="schema"),
    path("docs/", pages.DocsView.as_view(), name="api_docs"),
    path("problems/<slug:slug>/", pages.problem, name="api_problem"),
    re_path("", pages.nowhere),
]
