"""What commands have in common that read the database and report: as text for people, as JSON for programs."""

import json
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any, TypeVar

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError

T = TypeVar("T")


class ReportCommand(BaseCommand):
    requires_system_checks: list[str] = []  # they load every view of the shop, and say nothing about orders

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="As JSON, for programs.")

    def show(
        self, json_wanted: bool, read: Callable[[], T], text: Callable[[T], str], plain: Callable[[T], Any]
    ) -> T:
        """Show what was read, as text or as plain values. Exits 2 when the database cannot be read."""
        try:
            found = read()
        except (OperationalError, InterfaceError) as error:
            raise CommandError(
                f"The database could not be read: {str(error).strip()}\n"
                "Start it, or check DATABASE_URL, and run this command again.",
                returncode=2,
            ) from error
        self.stdout.write(json.dumps(plain(found), indent=2) if json_wanted else text(found))
        return found
