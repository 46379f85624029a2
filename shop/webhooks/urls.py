"""The routes under /webhooks/."""

from django.urls import path

from shop.webhooks.payments import payments

urlpatterns = [
    path("payments/", payments, name="payments_webhook"),
    # As somebody may have typed it at the provider: a redirect would lose the report.
    path("payments", payments),
]
