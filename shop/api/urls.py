"""The routes under /api/."""

from django.urls import path, re_path
from django.views.decorators.cache import cache_page
from drf_spectacular.views import SpectacularAPIView

from shop.api import pages
from shop.api.orders import CancelView, OrdersView, OrderView
from shop.api.products import ProductsView, ProductView

# The schema changes with a release only, and making it takes longer than placing a hundred orders.
_schema = cache_page(3600)(SpectacularAPIView.as_view())

urlpatterns = [
    path("orders/", OrdersView.as_view(), name="api_orders"),
    path("orders/<slug:token>/", OrderView.as_view(), name="api_order"),
    path("orders/<slug:token>/cancel/", CancelView.as_view(), name="api_order_cancel"),
    path("products/", ProductsView.as_view(), name="api_products"),
    path("products/<str:sku>/", ProductView.as_view(), name="api_product"),
    path("schema/", _schema, name="schema"),
    path("docs/", pages.DocsView.as_view(), name="api_docs"),
    path("problems/<slug:slug>/", pages.problem, name="api_problem"),
    re_path(r"^.*$", pages.nowhere),
]
