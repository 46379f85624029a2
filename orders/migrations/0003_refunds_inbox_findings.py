"""Refunds of completed orders, the inbox of providers' reports and what the reconciler finds. All of it is new but one
column of payments, whose constraint is checked by the next migration: here it would hold up every payment meanwhile."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

# What was promised to whom is written once; only how far it got may change.
FORBID = """
CREATE TRIGGER refund_promised_once BEFORE DELETE OR UPDATE OF id, order_id, request_key, amount_minor, whole, restock,
    reason, requested_by, requested_at ON orders_refund FOR EACH ROW EXECUTE FUNCTION orders_refuse_change();
CREATE TRIGGER refundline_written_once BEFORE UPDATE OR DELETE ON orders_refundline
    FOR EACH ROW EXECUTE FUNCTION orders_refuse_change();
"""
ALLOW = """
DROP TRIGGER refundline_written_once ON orders_refundline;
DROP TRIGGER refund_promised_once ON orders_refund;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0002_guards"),
    ]

    operations = [
        migrations.CreateModel(
            name="Finding",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("gateway", models.CharField(max_length=100)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("unknown_charge", "Captured without an order"),
                            ("second_charge", "Captured beside the order's own charge"),
                            ("capture_missing", "In our books, not at the provider"),
                            ("amount_differs", "Captured another amount"),
                            ("refund_missing", "Refund missing at the provider"),
                            ("refund_unknown", "Refund that our books do not have"),
                            ("charge_held", "The provider holds money of an order that has ended without"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "reference",
                    models.CharField(help_text="The provider's own id of the charge.", max_length=255),
                ),
                ("currency", models.CharField(max_length=3)),
                ("ours_minor", models.BigIntegerField(help_text="What our books say.")),
                ("theirs_minor", models.BigIntegerField(help_text="What the provider says.")),
                ("detail", models.CharField(max_length=300)),
                ("first_seen_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("last_seen_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("times", models.IntegerField(db_default=1, help_text="How many looks have found it.")),
                ("resolved_at", models.DateTimeField(blank=True, null=True)),
                ("resolution", models.CharField(blank=True, db_default="", max_length=300)),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="ProviderEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("gateway", models.CharField(help_text="Whose signature it bears.", max_length=100)),
                (
                    "event_id",
                    models.CharField(help_text="The provider's own id of the report.", max_length=255),
                ),
                (
                    "kind",
                    models.CharField(
                        help_text="payment_intent.succeeded, charge.refunded, …", max_length=100
                    ),
                ),
                (
                    "reference",
                    models.CharField(blank=True, help_text="The charge that it is about.", max_length=255),
                ),
                ("body", models.TextField(help_text="As it came.")),
                (
                    "happened_at",
                    models.DateTimeField(blank=True, help_text="By the provider's clock.", null=True),
                ),
                ("received_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("times", models.IntegerField(db_default=1, help_text="How often it was delivered.")),
                (
                    "last_received_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "applied_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When it rang for its order, or there was nothing left to learn.",
                        null=True,
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="Refund",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "request_key",
                    models.CharField(
                        help_text="Of the form that asked for it: sent twice, it is one refund.",
                        max_length=64,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("requested", "Being given back"), ("made", "Given back")],
                        db_default="requested",
                        max_length=10,
                    ),
                ),
                ("amount_minor", models.BigIntegerField()),
                (
                    "whole",
                    models.BooleanField(
                        help_text="It gave back all that was left, and ended the order as refunded."
                    ),
                ),
                (
                    "restock",
                    models.BooleanField(help_text="The pieces came back and are on the shelf again."),
                ),
                ("reason", models.CharField(max_length=300)),
                ("requested_by", models.CharField(max_length=150)),
                ("requested_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "asked_at",
                    models.DateTimeField(
                        blank=True, help_text="When the provider was first asked.", null=True
                    ),
                ),
                (
                    "refusals",
                    models.SmallIntegerField(
                        db_default=0,
                        help_text="How often the provider refused it; each try after one goes under a key of its own.",
                    ),
                ),
                ("made_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="RefundLine",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("quantity", models.PositiveIntegerField()),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.AddField(
            model_name="payment",
            name="promised_minor",
            field=models.BigIntegerField(
                db_default=0,
                help_text="Refunds of the completed order, those that are still to be made included.",
            ),
        ),
        migrations.AlterField(
            model_name="orderevent",
            name="kind",
            field=models.CharField(
                choices=[
                    ("order.placed", "Order placed"),
                    ("order.reserved", "Stock reserved"),
                    ("order.awaiting_payment", "Waiting for your bank"),
                    ("order.paid", "Payment received"),
                    ("order.shipped", "Handed to the carrier"),
                    ("order.completed", "Order completed"),
                    ("order.out_of_stock", "Out of stock"),
                    ("order.payment_declined", "Payment declined"),
                    ("order.cancelled", "Order cancelled"),
                    ("order.refunded", "Order refunded"),
                    ("order.partly_refunded", "Part of it refunded"),
                    ("order.dead_lettered", "Set aside for a person"),
                    ("order.replayed", "Taken up again"),
                ],
                max_length=32,
            ),
        ),
        AddConstraintNotValid(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("promised_minor__gte", 0), ("promised_minor__lte", models.F("captured_minor"))
                ),
                name="payment_promised_within_captured",
            ),
        ),
        migrations.AddField(
            model_name="finding",
            name="order",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="findings",
                to="orders.order",
            ),
        ),
        migrations.AddField(
            model_name="providerevent",
            name="order",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="provider_events",
                to="orders.order",
            ),
        ),
        migrations.AddField(
            model_name="refund",
            name="order",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="refunds",
                to="orders.order",
            ),
        ),
        migrations.AddField(
            model_name="refundline",
            name="line",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="refunded", to="orders.orderline"
            ),
        ),
        migrations.AddField(
            model_name="refundline",
            name="refund",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="lines",
                to="orders.refund",
            ),
        ),
        migrations.AddConstraint(
            model_name="finding",
            constraint=models.UniqueConstraint(
                condition=models.Q(("resolved_at__isnull", True)),
                fields=("gateway", "kind", "reference"),
                name="finding_open_once",
            ),
        ),
        migrations.AddIndex(
            model_name="providerevent",
            index=models.Index(fields=["order", "id"], name="provider_event_by_order"),
        ),
        migrations.AddIndex(
            model_name="providerevent",
            index=models.Index(
                condition=models.Q(("applied_at__isnull", True)),
                fields=["reference"],
                name="provider_event_waiting",
            ),
        ),
        migrations.AddConstraint(
            model_name="providerevent",
            constraint=models.UniqueConstraint(fields=("gateway", "event_id"), name="provider_event_once"),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(fields=["order", "id"], name="refund_by_order"),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(
                condition=models.Q(("status", "requested")), fields=["order"], name="refund_requested"
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.UniqueConstraint(fields=("request_key",), name="refund_once_per_request"),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_minor__gt", 0)), name="refund_amount_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="refundline",
            constraint=models.UniqueConstraint(fields=("refund", "line"), name="refund_line_once"),
        ),
        migrations.AddConstraint(
            model_name="refundline",
            constraint=models.CheckConstraint(
                condition=models.Q(("quantity__gt", 0)), name="refund_line_quantity_positive"
            ),
        ),
        migrations.RunSQL(FORBID, ALLOW),
    ]
