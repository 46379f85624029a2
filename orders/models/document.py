"""Invoices and credit notes: number and content are fixed at their issue; the PDF is a picture of them, made later.

Numbers have no gaps, as tax offices ask: the counter of each kind is a row, taken in the transaction that issues. What
was issued is never changed: triggers refuse it, for the document, its order's lines, address and sums, and its refund.
What is wrong is put right by a credit note.
"""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models.functions import Now

from orders.models.leased import Leased
from orders.models.order import Order
from orders.models.refund import Refund

INVOICES, CREDIT_NOTES = 1, 2  # ids of the two counters


class InvoiceCounter(models.Model):
    """The last number given of one kind; made by the first document of it. It only ever grows."""

    last = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.last)


class Document(Leased):
    class Kind(models.TextChoices):
        INVOICE = "invoice", "Invoice"
        CREDIT_NOTE = "credit_note", "Credit note"

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="documents", db_index=False)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    refund = models.ForeignKey(
        Refund,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="credit_notes",
        db_index=False,
        help_text="What a credit note credits; none: the whole invoice of a cancelled order.",
    )
    serial = models.BigIntegerField(help_text="Consecutive number of this kind, without gaps.")
    seller = models.TextField(help_text="The seller's name and address as they stood when it was issued.")
    seller_vat_id = models.CharField(max_length=20, blank=True, db_default="")
    seller_country = models.CharField(
        max_length=2, blank=True, db_default="", help_text="ISO 3166-1 alpha-2."
    )
    issued_at = models.DateTimeField(db_default=Now())
    time_zone = models.CharField(
        max_length=64,
        default="UTC",
        db_default="UTC",
        help_text="The shop's own, which says what day it was.",
    )
    file = models.CharField(max_length=200, blank=True, db_default="", help_text="The PDF, under MEDIA_ROOT.")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["order"], condition=models.Q(kind="invoice"), name="document_invoice_once"
            ),
            models.UniqueConstraint(
                fields=["order"],
                condition=models.Q(kind="credit_note", refund__isnull=True),
                name="document_cancellation_credited_once",
            ),
            models.UniqueConstraint(
                fields=["refund"],
                condition=models.Q(refund__isnull=False),
                name="document_refund_credited_once",
            ),
            models.UniqueConstraint(fields=["kind", "serial"], name="document_serial_unique"),
            models.CheckConstraint(
                condition=models.Q(kind="credit_note") | models.Q(refund__isnull=True),
                name="document_refund_is_credited",
            ),
        ]
        indexes = [
            models.Index(name="document_by_order", fields=["order", "kind"]),
            models.Index(name="document_due", fields=["due_at"], condition=models.Q(due_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.number

    def date_of(self, moment: datetime) -> date:
        """The day of a moment as this document has it."""
        return moment.astimezone(ZoneInfo(self.time_zone)).date()

    @property
    def issued_on(self) -> date:
        return self.date_of(self.issued_at)

    @property
    def number(self) -> str:
        """As printed on the document: INV-0000017, CN-0000003."""
        return f"{'INV' if self.kind == self.Kind.INVOICE else 'CN'}-{self.serial:07d}"
