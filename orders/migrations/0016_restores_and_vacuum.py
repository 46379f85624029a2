"""What a restore leaves behind, and autovacuum's settings by table.

By default a table is vacuumed when a fifth of it is dead: two million of ten million orders, when statements on the index
of due orders have long become slow. Setting these takes no lock that a reader or a writer waits for.
"""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

# Rows that change a dozen times in an order's life, or once.
_CHANGED = (
    "document",
    "notification",
    "order",
    "orderevent",
    "payment",
    "printout",
    "providerevent",
    "refund",
    "reversal",
    "shipment",
)
# Rows that are written once: for index-only scans and for the planner.
_WRITTEN = ("finding", "lostcall", "orderline", "refundline", "restore", "stockmovement", "successor")
# Few rows that change all the time: a hundred versions of one slow down each look at it.
_HOT = ("claim", "invoicecounter", "stockitem")

_ONE_IN_A_HUNDRED = {
    "autovacuum_vacuum_scale_factor": 0.01,
    "autovacuum_vacuum_threshold": 1000,
    "autovacuum_vacuum_insert_scale_factor": 0.02,
    "autovacuum_analyze_scale_factor": 0.02,
}
_AT_ONCE = {
    "autovacuum_vacuum_scale_factor": 0.01,
    "autovacuum_vacuum_threshold": 100,
    "autovacuum_analyze_scale_factor": 0.02,
    "autovacuum_vacuum_cost_delay": 0,
}


def _vacuumed(table, settings):
    said = ", ".join(f"{name} = {value}" for name, value in settings.items())
    return migrations.RunSQL(
        f"ALTER TABLE orders_{table} SET ({said})",
        f"ALTER TABLE orders_{table} RESET ({', '.join(settings)})",
    )


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0015_successors"),
    ]

    operations = [
        migrations.CreateModel(
            name="Restore",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("made_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "books_until",
                    models.DateTimeField(help_text="The last event that the backup has.", null=True),
                ),
                ("first_order", models.BigIntegerField()),
                ("last_order", models.BigIntegerField()),
                ("first_invoice", models.BigIntegerField()),
                ("last_invoice", models.BigIntegerField()),
                ("first_credit_note", models.BigIntegerField()),
                ("last_credit_note", models.BigIntegerField()),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="LostCall",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("provider", models.CharField(max_length=10)),
                (
                    "kind",
                    models.CharField(
                        help_text="captured, refunded, booked, sent, delivered, …", max_length=20
                    ),
                ),
                ("reference", models.CharField(help_text="The provider's own id.", max_length=255)),
                ("key", models.CharField(max_length=255)),
                ("order_number", models.CharField(max_length=100)),
                ("amount_minor", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                (
                    "restore",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lost_calls",
                        to="orders.restore",
                    ),
                ),
            ],
            options={
                "ordering": ["order_number", "id"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("provider", "kind", "reference", "key"), name="lost_call_listed_once"
                    )
                ],
            },
        ),
        *(_vacuumed(table, _ONE_IN_A_HUNDRED) for table in (*_CHANGED, *_WRITTEN)),
        *(_vacuumed(table, _AT_ONCE) for table in _HOT),
    ]
