"""Stock by SKU, and the ledger of every movement that made it what it is.

Three layers keep it from being oversold: rows locked in SKU order and changed by one statement (orders.inventory),
the CHECK constraints here, and the ledger, which the audit adds up.
"""

from django.db import models
from django.db.models.functions import Now


class StockItem(models.Model):
    sku = models.CharField("SKU", max_length=40, primary_key=True)
    stocked = models.BigIntegerField(help_text="Every piece that ever came in, corrections included.")
    filed = models.BigIntegerField(
        null=True, editable=False, help_text="What files of the catalogue said of it; empty while none has."
    )
    on_hand = models.BigIntegerField(help_text="On the shelf and free to sell.")
    reserved = models.BigIntegerField(default=0, help_text="Held for orders that are not shipped yet.")
    sold = models.BigIntegerField(default=0, help_text="Gone with a shipment.")

    class Meta:
        ordering = ["sku"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(on_hand__gte=0, reserved__gte=0, sold__gte=0), name="stock_never_negative"
            ),
            models.CheckConstraint(
                condition=models.Q(stocked=models.F("on_hand") + models.F("reserved") + models.F("sold")),
                name="stock_adds_up",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sku}: {self.on_hand} on hand"


class StockMovement(models.Model):
    """One line of the stock ledger. `order` is None for goods that came in; no foreign key, the ledger stands alone."""

    class Kind(models.TextChoices):
        STOCKED = "stocked", "Stocked"
        RESERVED = "reserved", "Reserved"
        RELEASED = "released", "Released"
        SOLD = "sold", "Sold"

    sku = models.CharField("SKU", max_length=40)
    order_id = models.BigIntegerField(null=True, blank=True)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    quantity = models.BigIntegerField(help_text="Pieces; negative only for a correction of what was stocked.")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        constraints = [
            # An order reserves, releases and takes each SKU at most once, whatever a repeated task may try.
            models.UniqueConstraint(
                fields=["order_id", "sku", "kind"],
                condition=models.Q(order_id__isnull=False),
                name="movement_once_per_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.quantity} × {self.sku}"
