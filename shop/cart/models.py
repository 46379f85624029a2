"""A visitor's cart and its lines. Prices are not in it: they are the catalogue's until an order is placed."""

from django.db import models
from django.db.models.functions import Now


class Cart(models.Model):
    token = models.CharField(
        max_length=32, unique=True, help_text="Unguessable; the visitor's cookie has it."
    )
    checkout_key = models.CharField(
        max_length=32,
        help_text="Idempotency key of the checkout that this cart becomes; another after each order.",
    )
    ordered_key = models.CharField(
        max_length=32, blank=True, help_text="That of the checkout before, which became an order."
    )
    refilled_from = models.CharField(
        max_length=32,
        blank=True,
        help_text="Token of the order whose goods were put back into it; empty mostly.",
    )
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(name="cart_changed", fields=["changed_at"])]

    def __str__(self) -> str:
        return f"Cart {self.pk}"


class CartLine(models.Model):
    cart = models.ForeignKey(Cart, on_delete=models.CASCADE, related_name="lines")
    sku = models.CharField("SKU", max_length=40)
    quantity = models.PositiveIntegerField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["cart", "sku"], name="cart_line_once_per_sku"),
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="cart_line_not_empty"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku}"
