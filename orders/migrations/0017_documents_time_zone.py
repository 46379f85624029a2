"""The time zone that says which day a document was issued on. The column has a constant default, so no row is written."""

from django.db import migrations, models

OPEN = "DROP TRIGGER document_issued_once ON orders_document;"
BEFORE = """
CREATE TRIGGER document_issued_once
    BEFORE DELETE OR UPDATE OF id, order_id, kind, refund_id, serial, seller, seller_vat_id, seller_country, issued_at
    ON orders_document FOR EACH ROW EXECUTE FUNCTION orders_refuse_change();
"""
AFTER = """
CREATE TRIGGER document_issued_once
    BEFORE DELETE OR UPDATE OF id, order_id, kind, refund_id, serial, seller, seller_vat_id, seller_country, issued_at,
        time_zone
    ON orders_document FOR EACH ROW EXECUTE FUNCTION orders_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("orders", "0016_restores_and_vacuum")]

    operations = [
        migrations.AddField(
            "document",
            "time_zone",
            models.CharField(
                max_length=64,
                default="UTC",
                db_default="UTC",
                help_text="The shop's own, which says what day it was.",
            ),
        ),
        migrations.RunSQL(OPEN + AFTER, OPEN + BEFORE),
        migrations.AlterField(
            "printout",
            "since",
            models.DateField(null=True, blank=True, help_text="First day, in the shop's time zone."),
        ),
    ]
