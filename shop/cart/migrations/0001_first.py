"""Carts on the server."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Cart",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "token",
                    models.CharField(
                        help_text="Unguessable; the visitor's cookie has it.", max_length=32, unique=True
                    ),
                ),
                (
                    "checkout_key",
                    models.CharField(
                        help_text="Idempotency key of the checkout that this cart becomes; another after each order.",
                        max_length=32,
                    ),
                ),
                (
                    "ordered_key",
                    models.CharField(
                        blank=True,
                        help_text="That of the checkout before, which became an order.",
                        max_length=32,
                    ),
                ),
                (
                    "refilled_from",
                    models.CharField(
                        blank=True,
                        help_text="Token of the order whose goods were put back into it; empty mostly.",
                        max_length=32,
                    ),
                ),
                ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "indexes": [models.Index(fields=["changed_at"], name="cart_changed")],
            },
        ),
        migrations.CreateModel(
            name="CartLine",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("sku", models.CharField(max_length=40, verbose_name="SKU")),
                ("quantity", models.PositiveIntegerField()),
                (
                    "cart",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="lines", to="cart.cart"
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "constraints": [
                    models.UniqueConstraint(fields=("cart", "sku"), name="cart_line_once_per_sku"),
                    models.CheckConstraint(
                        condition=models.Q(("quantity__gt", 0)), name="cart_line_not_empty"
                    ),
                ],
            },
        ),
    ]
