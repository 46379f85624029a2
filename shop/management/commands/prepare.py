"""`manage.py prepare`: makes database and static files ready to serve, in one process.

Run it before every start: what is done already is only looked at. Of two at once the second waits for the first.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from orders.database.vanishing import SESSION_LOCK, SESSION_UNLOCK
from shop.catalogue.importing.importer import FileRefused, Options, import_file
from shop.catalogue.models import Product
from shop.management.collecting import collect_if_changed

DEMO = Path(__file__).resolve().parents[2] / "catalogue" / "demo" / "catalogue.csv"
DEMO_LOGIN = "admin"
# Lets one process prepare the database at a time, for as long as its session lasts; false while another does. Nobody
# waits inside of the statement: an index that is built beside the traffic would wait for that.
_LOCK = f"SELECT pg_try_advisory_lock(hashtextextended('stampede.prepare', 0)), {SESSION_LOCK}"
# Lets the next one begin.
_UNLOCK = f"SELECT pg_advisory_unlock(hashtextextended('stampede.prepare', 0)), {SESSION_UNLOCK}"
_LOOK = 0.2  # seconds between looks whether the other is done
_PAUSE = 1.0  # seconds before a migration is tried again whose lock somebody else had


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
        while not _said(_LOCK):
            time.sleep(_LOOK)
        try:
            self._step("migrations", _migrate)
            if not options["no_demo"]:
                self._step("catalogue", _seed)
            self._step("login", _login)
        finally:
            _said(_UNLOCK)

    def _step(self, name: str, step: Callable[[], str]) -> None:
        began = time.perf_counter()
        said = step()
        self.stdout.write(f"{name + ':':14}{said} ({time.perf_counter() - began:.2f} s)")
        self.stdout.flush()


def _said(statement: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return bool(cursor.fetchone()[0])


def _collect() -> str:
    return "collected" if collect_if_changed() else "unchanged"


def _migrate() -> str:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not plan:
        return "nothing to apply"
    # The command and not the executor, for it also makes content types and permissions.
    until_locked(lambda: call_command("migrate", interactive=False, verbosity=0))
    return f"{len(plan)} applied"


def until_locked(migrate: Callable[[], object], tries: int = 30) -> None:
    """Try again while somebody else has a lock that a migration needs: each try waits for it briefly, so that nobody
    queues behind it for long (orders.database.schema). What was applied before is not applied again."""
    while True:
        try:
            migrate()
            return
        except OperationalError as error:
            tries -= 1
            if not isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
                raise
            if not tries:
                raise CommandError(
                    f"A migration did not get the lock that it needs, and is not applied: {error}\n"
                    "Somebody uses that table all the time. See pg_stat_activity, end that, and start this again."
                ) from error
        time.sleep(_PAUSE)


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
