"""`manage.py why ORDER`: where an order stands, what it is waiting for, and what has happened to it."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError

from orders.models import Order, OrderEvent
from orders.models.order import id_of
from workers.why import Why, why


class Command(BaseCommand):
    help = "Say in a sentence where an order stands and what it is waiting for, with its timeline."
    requires_system_checks: list[str] = []  # they load every view of the shop, and say nothing about orders

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("order", help="Its number (S-100017), its id (17) or its token.")
        parser.add_argument("--json", action="store_true", help="As JSON, for programs.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            order = _find(options["order"])
            found, events = why(order), list(OrderEvent.objects.filter(order=order).order_by("id"))
        except (OperationalError, InterfaceError) as error:
            raise CommandError(
                f"The database could not be read: {str(error).strip()}\n"
                "Start it, or check DATABASE_URL, and ask again. Orders wait in it and are not lost.",
                returncode=2,
            ) from error
        self.stdout.write(_as_json(found, events) if options["json"] else self._text(found, events))

    def _text(self, found: Why, events: list[OrderEvent]) -> str:
        lines = [found.sentence, ""]
        for event in events:
            when = f"{event.at:%Y-%m-%d %H:%M:%S}.{event.at.microsecond // 1000:03d}"
            lines.append(f"  {when}  {event.kind:<22} {event.detail}".rstrip())
        return "\n".join(lines)


def _as_json(found: Why, events: list[OrderEvent]) -> str:
    timeline = [{"kind": event.kind, "at": event.at.isoformat(), "detail": event.detail} for event in events]
    return json.dumps({**found.as_dict(), "timeline": timeline}, indent=2)


def _find(said: str) -> Order:
    """By its number, id or token; a number that people see is read before a bare id."""
    said = said.strip()
    ids = [id_of(said), int(said) if said.isascii() and said.isdigit() and len(said) <= 18 else None]
    for order_id in ids:
        if order_id is not None and (order := Order.objects.filter(pk=order_id).first()):
            return order
    if order := Order.objects.filter(token=said).first():
        return order
    raise CommandError(
        f"There is no order {said!r}. Give its number (S-100017), its id (17) or its token; "
        "the desk finds orders by e-mail, name, SKU and payment reference too."
    )
