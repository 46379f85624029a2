"""A breaker's `turn` becomes its `generation`: the catalogue alone changes."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("workers", "0005_dead_letters_of_videos")]

    operations = [migrations.RenameField("breaker", "turn", "generation")]
