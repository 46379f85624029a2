"""The field's words: a breaker's `turn` is its generation, its trials are probes, and money is refunded.

The note of what a relay has claimed belongs to the orders that it leases: its table moves there (orders 0010). Names
change in the catalogue alone. The two updates touch dead letters and failed attempts, which are few.
"""

from django.db import migrations, models
from django.db.models.functions import Now

_RENAME_TASK = "UPDATE workers_{table} SET task = '{new}' WHERE task = '{old}'"


def _renamed(old: str, new: str) -> list[str]:
    return [_RENAME_TASK.format(table=table, old=old, new=new) for table in ("deadletter", "failedattempt")]


class Migration(migrations.Migration):
    dependencies = [
        ("workers", "0005_dead_letters_of_videos"),
        ("orders", "0009_attempts_and_failures"),
    ]

    operations = [
        migrations.RenameField("breaker", "turn", "generation"),
        migrations.RenameField("breaker", "failed_trials", "failed_probes"),
        migrations.RenameField("breaker", "next_trial_at", "next_probe_at"),
        migrations.AlterField(
            "breaker",
            "since",
            models.DateTimeField(db_default=Now(), help_text="When it last opened or closed."),
        ),
        migrations.AlterField(
            "breaker",
            "generation",
            models.IntegerField(
                db_default=0,
                help_text="Counts changes of state: the answer to a call of an earlier one decides nothing.",
            ),
        ),
        migrations.AlterField(
            "breaker",
            "stage",
            models.SmallIntegerField(db_default=0, help_text="How far the recovery has come."),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.DeleteModel("Claim")],
            database_operations=[
                migrations.RunSQL(
                    "ALTER TABLE workers_claim RENAME TO orders_claim",
                    "ALTER TABLE orders_claim RENAME TO workers_claim",
                )
            ],
        ),
        migrations.RunSQL(
            _renamed("payment.give_back", "payment.refund"), _renamed("payment.refund", "payment.give_back")
        ),
    ]
