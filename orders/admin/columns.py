"""How the admin shows what a row has: columns of lists, tables of pages, moments and links."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from unfold import decorators

from orders.models.order import number_of

Method = TypeVar("Method", bound=Callable[..., Any])


def display(description: str, **options: Any) -> Callable[[Method], Method]:
    """Unfold's decorator for a list's column: `ordering`, `header` for two lines, `label` for a colour by value.

    A value without a colour is grey; Unfold by itself would show the value in place of its name.
    """
    if "label" in options:
        options["label"] = defaultdict(str, options["label"])
    decorate: Callable[[Method], Method] = decorators.display(description=description, **options)
    return decorate


def column(description: str, shown: Callable[[Any], object], **options: Any) -> Callable[[Any, Any], object]:
    """A list's column in one line, with the options of `display`: what it shows of a row."""

    @display(description, **options)
    def of_row(_admin: Any, row: Any) -> object:
        return shown(row)

    return of_row


def briefly(moment: datetime) -> str:
    """For lists, in one piece: 20 Nov 2026 10:57."""
    return date_format(timezone.localtime(moment), "j M Y H:i").replace(" ", "\N{NO-BREAK SPACE}")


def precisely(moment: datetime) -> str:
    """With milliseconds: two steps of an order are often less than a second apart."""
    local = timezone.localtime(moment)
    return f"{date_format(local, 'j M Y H:i:s')}.{local.microsecond // 1000:03d}"


def link(address: str, words: object) -> str:
    return format_html('<a class="text-link" href="{}">{}</a>', address, words)


def link_to_order(order_id: int) -> str:
    address = reverse("admin:orders_order_change", args=[order_id])
    return format_html(
        '<a class="text-link whitespace-nowrap" href="{}">{}</a>', address, number_of(order_id)
    )


order_column = column("Order", lambda row: link_to_order(row.order_id) if row.order_id else "–")


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> dict[str, Any]:
    """What Unfold's table component shows."""
    return {"headers": headers, "rows": list(rows)}
