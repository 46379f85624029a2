"""A half-open breaker is probed. Names change in the catalogue alone."""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("workers", "0006_words_of_the_field")]

    operations = [
        migrations.RenameField("breaker", "failed_trials", "failed_probes"),
        migrations.RenameField("breaker", "next_trial_at", "next_probe_at"),
        migrations.AlterField(
            "breaker",
            "since",
            models.DateTimeField(db_default=Now(), help_text="When it last opened or closed."),
        ),
    ]
