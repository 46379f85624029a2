from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("videos", "0001_first")]

    operations = [
        migrations.AddIndex(
            model_name="video",
            index=models.Index(
                name="video_under_way",
                fields=["state"],
                condition=models.Q(("state__in", ["waiting", "encoding", "joining"])),
            ),
        ),
        migrations.AddIndex(
            model_name="segment",
            index=models.Index(
                name="segment_done", fields=["done_at"], condition=models.Q(("done_at__isnull", False))
            ),
        ),
    ]
