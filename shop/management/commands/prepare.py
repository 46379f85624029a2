"""`manage.py prepare`: makes database and static files ready to serve, in one process.

Run it before every start: what is done already is only looked at. Of two at once the second waits for the first.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from shop.catalogue.importing.importer import FileRefused, Options, import_file
from shop.catalogue.models import Product
from shop.management.collecting import collect_if_changed

DEMO = Path(__file__).resolve().parents[2] / "catalogue" / "demo" / "catalogue.csv"
DEMO_LOGIN = "admin"
# Lets one process prepare the database at a time, for as long as its session lasts.
_LOCK = "SELECT pg_advisory_lock(hashtextextended('stampede.prepare', 0))"
# Lets the next one begin.
_UNLOCK = "SELECT pg_advisory_unlock(hashtextextended('stampede.prepare', 0))"


class Command(BaseCommand):
    help = (
        "Make database and static files ready: migrate, collect static files if any changed, put the demo "
        "catalogue into an empty shop, make the demo login if DEMO_ADMIN_PASSWORD is given."
    )
    # They import every page: a server does that when it starts, and here it would be most of the time.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-demo", action="store_true", help="leave an empty catalogue empty")

    def handle(self, *args: Any, **options: Any) -> None:
        self._step("static files", _collect)
        with connection.cursor() as cursor:
            cursor.execute(_LOCK)
        try:
            self._step("migrations", _migrate)
            if not options["no_demo"]:
                self._step("catalogue", _seed)
            self._step("login", _login)
        finally:
            with connection.cursor() as cursor:
                cursor.execute(_UNLOCK)

    def _step(self, name: str, step: Callable[[], str]) -> None:
        began = time.perf_counter()
        said = step()
        self.stdout.write(f"{name + ':':14}{said} ({time.perf_counter() - began:.2f} s)")
        self.stdout.flush()


def _collect() -> str:
    return "collected" if collect_if_changed() else "unchanged"


def _migrate() -> str:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not plan:
        return "nothing to apply"
    # The command and not the executor, for it also makes content types and permissions.
    call_command("migrate", interactive=False, verbosity=0)
    return f"{len(plan)} applied"


def _seed() -> str:
    if Product.objects.exists():
        return "kept as it is"
    try:
        report = import_file(DEMO, Options())
    except FileRefused as refused:
        first = refused.report.refused[0]
        raise CommandError(f"{refused} Line {first.line}: {first.reason}") from None
    return f"{report.created} demo products"


def _login() -> str:
    password = os.environ.get("DEMO_ADMIN_PASSWORD")
    if not password:
        return "none asked for (DEMO_ADMIN_PASSWORD is not set)"
    users = get_user_model()
    if users.objects.filter(username=DEMO_LOGIN).exists():
        return f"{DEMO_LOGIN} is there"
    users.objects.create_superuser(DEMO_LOGIN, email="", password=password)
    return f"{DEMO_LOGIN} made"
