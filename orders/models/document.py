"""Invoices: number and content are fixed when the invoice is issued; its PDF is a picture of them, made later.

Numbers have no gaps, as tax offices ask: the counter is a row, taken in the transaction that issues the invoices.
"""

from django.db import models
from django.db.models.functions import Now

from orders.models.order import Order


class InvoiceCounter(models.Model):
    """The last number given; one row, with id 1, made by the first invoice."""

    last = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.last)


class Document(models.Model):
    class Kind(models.TextChoices):
        INVOICE = "invoice", "Invoice"

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="documents", db_index=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    serial = models.BigIntegerField(help_text="Consecutive number of this kind, without gaps.")
    seller = models.TextField(help_text="The seller's name and address as they stood when it was issued.")
    issued_at = models.DateTimeField(db_default=Now())
    file = models.CharField(max_length=200, blank=True, db_default="", help_text="The PDF, under MEDIA_ROOT.")

    # What drives the making of the PDF, as in Order.
    due_at = models.DateTimeField(null=True, blank=True, db_default=Now())
    drives = models.SmallIntegerField(db_default=0)
    drives_total = models.IntegerField(db_default=0)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["order", "kind"], name="document_once_per_kind"),
            models.UniqueConstraint(fields=["kind", "serial"], name="document_serial_unique"),
        ]
        indexes = [
            models.Index(name="document_due", fields=["due_at"], condition=models.Q(due_at__isnull=False))
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        """As printed on the document: INV-0000017."""
        return f"INV-{self.serial:07d}"
