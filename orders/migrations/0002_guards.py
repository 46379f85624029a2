"""What the database itself refuses: changing what was ordered, and changing what happened."""

from django.db import migrations

FORBID = """
CREATE FUNCTION orders_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is written once: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER orderline_written_once BEFORE UPDATE OR DELETE ON orders_orderline
    FOR EACH ROW EXECUTE FUNCTION orders_refuse_change();
-- The log may only be marked as published.
CREATE TRIGGER orderevent_append_only BEFORE DELETE OR UPDATE OF id, order_id, kind, at, detail ON orders_orderevent
    FOR EACH ROW EXECUTE FUNCTION orders_refuse_change();
CREATE TRIGGER stockmovement_append_only BEFORE UPDATE OR DELETE ON orders_stockmovement
    FOR EACH ROW EXECUTE FUNCTION orders_refuse_change();
CREATE TRIGGER document_issued_once BEFORE DELETE OR UPDATE OF id, order_id, kind, serial, seller, issued_at
    ON orders_document FOR EACH ROW EXECUTE FUNCTION orders_refuse_change();
"""
ALLOW = """
DROP TRIGGER document_issued_once ON orders_document;
DROP TRIGGER stockmovement_append_only ON orders_stockmovement;
DROP TRIGGER orderevent_append_only ON orders_orderevent;
DROP TRIGGER orderline_written_once ON orders_orderline;
DROP FUNCTION orders_refuse_change();
"""
# Rows that change several times leave room beside them, so that the new version stays on the page.
ROOM = """
ALTER TABLE orders_order SET (fillfactor = 70);
ALTER TABLE orders_payment SET (fillfactor = 80);
ALTER TABLE orders_notification SET (fillfactor = 80);
ALTER TABLE orders_shipment SET (fillfactor = 80);
ALTER TABLE orders_stockitem SET (fillfactor = 50);
"""
NO_ROOM = """
ALTER TABLE orders_order RESET (fillfactor);
ALTER TABLE orders_payment RESET (fillfactor);
ALTER TABLE orders_notification RESET (fillfactor);
ALTER TABLE orders_shipment RESET (fillfactor);
ALTER TABLE orders_stockitem RESET (fillfactor);
"""


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_initial")]

    operations = [
        migrations.RunSQL(FORBID, ALLOW),
        migrations.RunSQL(ROOM, NO_ROOM),
    ]
