"""Videos that were taken down, and what of a picture must be changed for browsers: HDR and interlaced footage.

Both columns have a default in the database, so that adding them rewrites no row.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("videos", "0004_attempts_and_failures")]

    operations = [
        migrations.AddField(
            "video",
            "hdr",
            models.CharField(
                blank=True,
                choices=[("hlg", "HLG"), ("pq", "PQ")],
                db_default="",
                default="",
                help_text="How its brightness is encoded, if it is HDR.",
                max_length=3,
            ),
        ),
        migrations.AddField(
            "video",
            "is_interlaced",
            models.BooleanField(
                db_default=False,
                default=False,
                help_text="Each frame is two half pictures, taken one after the other.",
            ),
        ),
        migrations.AlterField(
            "video",
            "state",
            models.CharField(
                choices=[
                    ("waiting", "Uploaded, processing"),
                    ("encoding", "Encoding"),
                    ("joining", "Joining"),
                    ("published", "Published"),
                    ("replaced", "Replaced by a newer one"),
                    ("removed", "Removed"),
                    ("refused", "Refused"),
                    ("failed", "Failed"),
                    ("cancelled", "Cancelled"),
                ],
                db_default="waiting",
                max_length=10,
            ),
        ),
    ]
