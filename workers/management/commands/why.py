"""`manage.py why ORDER`: where an order stands, what it is waiting for, and what has happened to it."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from orders.models import Order, OrderEvent
from orders.models.order import id_of
from workers.management.reporting import ReportCommand
from workers.why import Why, why


class Command(ReportCommand):
    help = "Say in a sentence where an order stands and what it is waiting for, with its timeline."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("order", help="Its number (S-100017), its id (17) or its token.")

    def handle(self, *args: Any, **options: Any) -> None:
        def read() -> tuple[Why, list[OrderEvent]]:
            order = _find(options["order"])
            return why(order), list(OrderEvent.objects.filter(order=order).order_by("id"))

        self.show(options["json"], read, lambda found: _text(*found), lambda found: _plain(*found))


def _text(found: Why, events: list[OrderEvent]) -> str:
    lines = [found.sentence, ""]
    for event in events:
        at = timezone.localtime(event.at)
        when = f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}"
        lines.append(f"  {when}  {event.kind:<22} {event.detail}".rstrip())
    return "\n".join(lines)


def _plain(found: Why, events: list[OrderEvent]) -> dict[str, Any]:
    timeline = [{"kind": event.kind, "at": event.at.isoformat(), "detail": event.detail} for event in events]
    return {**found.as_dict(), "timeline": timeline}


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
        "the admin also finds orders by e-mail, name, SKU and payment reference."
    )
