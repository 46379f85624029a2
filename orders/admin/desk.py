"""What all lists at the desk share: facts stay, and no list counts the millions of rows behind it."""

# ruff: noqa: ARG002 (the signatures are Django's)
# Unfold has no types.
# mypy: disable-error-code="misc"

from datetime import datetime
from typing import Any

from django.contrib.admin import ShowFacets
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.html import format_html
from unfold.admin import ModelAdmin

from orders.models.order import number_of


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts up to CAP rows and ends the list there: nobody turns to page 100, a search or a filter goes
    on."""

    CAP = 5_000
    object_list: QuerySet[Any]

    @cached_property
    def count(self) -> int:
        return self.object_list[: self.CAP].count()


class DeskAdmin(ModelAdmin):
    """A list of facts: none is deleted."""

    list_per_page = 50
    list_fullwidth = True
    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER  # they count every row behind every filter

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyAdmin(DeskAdmin):
    """Facts that are not edited either."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def briefly(moment: datetime) -> str:
    """For lists, in one piece: 20 Nov 2026 10:57."""
    return date_format(timezone.localtime(moment), "j M Y H:i").replace(" ", "\N{NO-BREAK SPACE}")


def precisely(moment: datetime) -> str:
    """With milliseconds: between two steps of an order often lie fewer than a second."""
    local = timezone.localtime(moment)
    return f"{date_format(local, 'j M Y H:i:s')}.{local.microsecond // 1000:03d}"


def link_to_order(order_id: int) -> str:
    address = reverse("admin:orders_order_change", args=[order_id])
    return format_html(
        '<a class="text-link whitespace-nowrap" href="{}">{}</a>', address, number_of(order_id)
    )
