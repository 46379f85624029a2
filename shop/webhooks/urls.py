"""The routes under /webhooks/."""

from django.urls import path

from shop.webhooks.payments import payments

urlpatterns = [path("payments/", payments, name="payments_webhook")]
