"""Credit notes, who sells as data, and what the database refuses once an invoice is issued. All of it is new columns
and triggers; the indexes follow in the next migration, which builds them beside the traffic."""

import django.db.models.deletion
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

# A column's type cannot change under a trigger that names it.
OPEN = "DROP TRIGGER document_issued_once ON orders_document;"
REOPEN = """
CREATE TRIGGER document_issued_once BEFORE DELETE OR UPDATE OF id, order_id, kind, serial, seller, issued_at
    ON orders_document FOR EACH ROW EXECUTE FUNCTION orders_refuse_change();
"""
FORBID = """
CREATE TRIGGER document_issued_once
    BEFORE DELETE OR UPDATE OF id, order_id, kind, refund_id, serial, seller, seller_vat_id, seller_country, issued_at
    ON orders_document FOR EACH ROW EXECUTE FUNCTION orders_refuse_change();
-- A counter that went back would give a number twice; one that jumped would leave a gap only who jumps it can explain.
CREATE TRIGGER invoicecounter_kept BEFORE DELETE ON orders_invoicecounter
    FOR EACH ROW EXECUTE FUNCTION orders_refuse_change();
CREATE TRIGGER invoicecounter_only_grows BEFORE UPDATE ON orders_invoicecounter
    FOR EACH ROW WHEN (NEW.last < OLD.last OR NEW.id <> OLD.id) EXECUTE FUNCTION orders_refuse_change();
-- What an invoice says of its order. Its lines are written once anyway.
CREATE FUNCTION orders_refuse_change_of_invoiced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM orders_document WHERE order_id = OLD.id) THEN
        RAISE EXCEPTION 'order % has an invoice: what it says is never changed, a credit note puts it right', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER order_invoiced_as_it_is BEFORE UPDATE OF
    email, name, line1, line2, city, postcode, country, payment_method, currency, total_minor, tax_minor, placed_at
    ON orders_order FOR EACH ROW WHEN (
        (OLD.email, OLD.name, OLD.line1, OLD.line2, OLD.city, OLD.postcode, OLD.country, OLD.payment_method,
         OLD.currency, OLD.total_minor, OLD.tax_minor, OLD.placed_at)
        IS DISTINCT FROM
        (NEW.email, NEW.name, NEW.line1, NEW.line2, NEW.city, NEW.postcode, NEW.country, NEW.payment_method,
         NEW.currency, NEW.total_minor, NEW.tax_minor, NEW.placed_at)
    ) EXECUTE FUNCTION orders_refuse_change_of_invoiced();
"""
ALLOW = """
DROP TRIGGER order_invoiced_as_it_is ON orders_order;
DROP FUNCTION orders_refuse_change_of_invoiced();
DROP TRIGGER invoicecounter_only_grows ON orders_invoicecounter;
DROP TRIGGER invoicecounter_kept ON orders_invoicecounter;
DROP TRIGGER document_issued_once ON orders_document;
"""


class Migration(migrations.Migration):
    dependencies = [("orders", "0004_promises_checked")]

    operations = [
        migrations.RunSQL(OPEN, REOPEN),
        migrations.AlterField(
            "document",
            "kind",
            models.CharField(choices=[("invoice", "Invoice"), ("credit_note", "Credit note")], max_length=12),
        ),
        migrations.AddField(
            "document",
            "refund",
            models.ForeignKey(
                blank=True,
                db_index=False,
                help_text="What a credit note credits; none: the whole invoice of a cancelled order.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="credit_notes",
                to="orders.refund",
            ),
        ),
        migrations.AddField(
            "document", "seller_vat_id", models.CharField(blank=True, db_default="", max_length=20)
        ),
        migrations.AddField(
            "document",
            "seller_country",
            models.CharField(blank=True, db_default="", help_text="ISO 3166-1 alpha-2.", max_length=2),
        ),
        migrations.AddField("document", "holder", models.UUIDField(blank=True, null=True)),
        AddConstraintNotValid(
            "document",
            models.CheckConstraint(
                condition=models.Q(("kind", "credit_note"), ("refund__isnull", True), _connector="OR"),
                name="document_refund_is_credited",
            ),
        ),
        migrations.RunSQL(FORBID, ALLOW),
    ]
