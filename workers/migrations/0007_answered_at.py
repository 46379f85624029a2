from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("workers", "0006_words_of_the_field")]

    operations = [
        migrations.AddField(
            model_name="breaker",
            name="answered_at",
            field=models.DateTimeField(
                blank=True,
                help_text="The first answer to anybody since a call took long; empty while there was none.",
                null=True,
            ),
        ),
    ]
