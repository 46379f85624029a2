"""Remembers what files of the catalogue said of a product's stock, so that they bring in differences.

Not in one transaction: the new column locks the table for a moment only. Until now a file's level was the level, so what
is stocked is what files said, but for the pieces that buyers sent back.
"""

from django.db import migrations, models

# In the order in which everybody locks stock.
_FILED = """
UPDATE orders_stockitem s SET filed = s.stocked - coalesce(back.quantity, 0)
FROM (SELECT sku FROM orders_stockitem ORDER BY sku FOR NO KEY UPDATE) AS locked
LEFT JOIN (
    SELECT line.sku, sum(returned.quantity) AS quantity
    FROM orders_refundline returned
    JOIN orders_refund refund ON refund.id = returned.refund_id AND refund.restock
    JOIN orders_orderline line ON line.id = returned.line_id
    GROUP BY line.sku
) AS back ON back.sku = locked.sku
WHERE s.sku = locked.sku
"""


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0012_email_in_any_case")]

    operations = [
        migrations.AddField(
            model_name="stockitem",
            name="filed",
            field=models.BigIntegerField(
                editable=False,
                help_text="What files of the catalogue said of it; empty while none has.",
                null=True,
            ),
        ),
        migrations.RunSQL(_FILED, migrations.RunSQL.noop),
    ]
