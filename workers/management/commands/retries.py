"""`manage.py retries`: when a failed step is tried again, and when it is given up."""

from typing import Any

from django.core.management.base import BaseCommand

from workers.retry import schedule


class Command(BaseCommand):
    help = "Print the retry policy of every queue."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write("\n".join(schedule()))
