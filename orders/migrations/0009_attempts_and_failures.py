"""The field's words for what is counted, and how often the making of a file failed apart from how often it was begun.

Renaming a column and adding one with a constant default change the catalogue alone: no row is read or written. Programs
of the version before do not know the new names, so relay and workers are stopped first; checkout goes on.
"""

from django.db import migrations, models

_LEASED = ("document", "printout")


class Migration(migrations.Migration):
    dependencies = [("orders", "0008_credit_what_was_refunded")]

    operations = [
        *(
            migrations.RenameField(model, old, new)
            for model in ("order", *_LEASED)
            for old, new in (("drives", "attempts"), ("drives_total", "attempts_total"))
        ),
        *(
            migrations.RenameField(model, "attempts", "failures")
            for model in ("payment", "shipment", "notification")
        ),
        *(
            migrations.AddField(model, "failures", models.SmallIntegerField(db_default=0))
            for model in _LEASED
        ),
        migrations.AlterField(
            "order",
            "attempts",
            models.SmallIntegerField(
                db_default=0, help_text="Attempts since the last progress; above 0 one is under way."
            ),
        ),
        migrations.AlterField(
            "order",
            "attempts_total",
            models.IntegerField(db_default=0, help_text="Attempts in the order's whole life."),
        ),
        migrations.AlterField(
            "order",
            "alone",
            models.BooleanField(
                db_default=False, help_text="It failed in a batch and is dispatched alone now."
            ),
        ),
    ]
