"""The field's words for what is counted, as in orders 0009: the catalogue alone changes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("videos", "0003_uploads_to_object_storage")]

    operations = [
        *(
            migrations.RenameField(model, old, new)
            for model in ("video", "segment")
            for old, new in (("drives", "attempts"), ("drives_total", "attempts_total"))
        ),
        *(
            migrations.AddField(model, "failures", models.SmallIntegerField(db_default=0))
            for model in ("video", "segment")
        ),
        migrations.AlterField("video", "holder", models.UUIDField(null=True, blank=True)),
    ]
