"""`manage.py env_example`: writes .env.example anew from the declarations in shop/settings.py."""

from typing import Any

from django.core.management.base import BaseCommand

from shop import environment, settings


class Command(BaseCommand):
    help = "Write .env.example from the variables that shop/settings.py declares."

    def handle(self, *args: Any, **options: Any) -> None:
        (settings.BASE_DIR / ".env.example").write_text(environment.example(settings))
