from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("videos", "0002_counted")]

    operations = [
        migrations.AddField(
            model_name="upload",
            name="multipart",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="What an object storage calls the unfinished file.",
                max_length=1024,
            ),
        ),
        migrations.AddField(
            model_name="upload",
            name="metadata",
            field=models.TextField(
                blank=True,
                db_default="",
                help_text="Upload-Metadata as it was sent; given back as it is, and not read.",
            ),
        ),
        migrations.AddField(
            model_name="video",
            name="checksum",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="SHA-256 of the file, where the sender named it.",
                max_length=64,
            ),
        ),
    ]
