"""Remembers of each product what a file last said of it, and when a person changed that. No row is rewritten."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0003_search_folded"),
    ]

    operations = [
        migrations.AddField(
            model_name="product",
            name="edited_at",
            field=models.DateTimeField(
                editable=False,
                help_text="When a person last changed what files say; empty since a file was taken.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="product",
            name="filed",
            field=models.CharField(
                blank=True,
                db_default="",
                editable=False,
                help_text="Digest of the row that a file last had of it.",
                max_length=32,
            ),
        ),
    ]
