"""Takes over the note of what a relay has claimed from `workers`, whose migration has renamed its table."""

import django.contrib.postgres.fields
from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0009_attempts_and_failures"),
        ("workers", "0006_words_of_the_field"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="Claim",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                primary_key=True, serialize=False, auto_created=True, verbose_name="ID"
                            ),
                        ),
                        (
                            "order_ids",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.BigIntegerField(), size=None
                            ),
                        ),
                        (
                            "lease_until",
                            models.DateTimeField(
                                help_text="What these orders' due_at was set to; others have moved on."
                            ),
                        ),
                        ("claimed_at", models.DateTimeField(db_default=Now())),
                    ],
                )
            ]
        )
    ]
