"""The indexes of credit notes, built without holding up invoices, and then the old rule of one document a kind goes."""

from django.contrib.postgres.operations import AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models

_KINDS = {
    "document_invoice_once": ("order_id", "kind = 'invoice'"),
    "document_cancellation_credited_once": ("order_id", "kind = 'credit_note' AND refund_id IS NULL"),
    "document_refund_credited_once": ("refund_id", "refund_id IS NOT NULL"),
}


def _unique(name, constraint):
    """Django builds the index of a conditional constraint under a lock; this one is built beside the traffic."""
    column, condition = _KINDS[name]
    return migrations.SeparateDatabaseAndState(
        [
            migrations.RunSQL(
                f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON orders_document ({column}) WHERE {condition}",
                f"DROP INDEX CONCURRENTLY {name}",
            )
        ],
        [migrations.AddConstraint("document", constraint)],
    )


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0005_credit_notes")]

    operations = [
        ValidateConstraint(model_name="document", name="document_refund_is_credited"),
        AddIndexConcurrently("document", models.Index(fields=["order", "kind"], name="document_by_order")),
        _unique(
            "document_invoice_once",
            models.UniqueConstraint(
                condition=models.Q(("kind", "invoice")), fields=("order",), name="document_invoice_once"
            ),
        ),
        _unique(
            "document_cancellation_credited_once",
            models.UniqueConstraint(
                condition=models.Q(("kind", "credit_note"), ("refund__isnull", True)),
                fields=("order",),
                name="document_cancellation_credited_once",
            ),
        ),
        _unique(
            "document_refund_credited_once",
            models.UniqueConstraint(
                condition=models.Q(("refund__isnull", False)),
                fields=("refund",),
                name="document_refund_credited_once",
            ),
        ),
        migrations.RemoveConstraint("document", "document_once_per_kind"),
    ]
