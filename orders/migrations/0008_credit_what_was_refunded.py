"""Refunds and cancellations from before there were credit notes get theirs, dated today: whatever was invoiced and given back
is credited. Nothing to do in a new shop."""

from django.conf import settings
from django.db import migrations

CREDIT = """
WITH owed AS (
    SELECT r.order_id, r.id AS refund_id FROM orders_refund r
    WHERE NOT EXISTS (SELECT FROM orders_document d WHERE d.refund_id = r.id)
    UNION ALL
    SELECT o.id, NULL FROM orders_order o
    WHERE o.status = 'cancelled'
      AND NOT EXISTS (SELECT FROM orders_document d WHERE d.order_id = o.id AND d.kind = 'credit_note')
), missing AS (
    SELECT owed.*, row_number() OVER (ORDER BY order_id, refund_id) AS place FROM owed
    WHERE EXISTS (SELECT FROM orders_document d WHERE d.order_id = owed.order_id AND d.kind = 'invoice')
), counter AS (
    INSERT INTO orders_invoicecounter (id, last) SELECT 2, count(*) FROM missing HAVING count(*) > 0
    ON CONFLICT (id) DO UPDATE SET last = orders_invoicecounter.last + excluded.last
    RETURNING last - (SELECT count(*) FROM missing) AS before
)
INSERT INTO orders_document (order_id, kind, refund_id, serial, seller, seller_vat_id, seller_country)
SELECT order_id, 'credit_note', refund_id, counter.before + missing.place, %s, %s, %s
FROM missing, counter ORDER BY missing.place
"""


def credit(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(CREDIT, [settings.SELLER, settings.SELLER_VAT_ID, settings.SELLER_COUNTRY])


class Migration(migrations.Migration):
    dependencies = [("orders", "0007_printouts")]

    operations = [migrations.RunPython(credit, migrations.RunPython.noop)]
