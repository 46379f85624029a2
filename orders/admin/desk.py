"""What all lists at the desk share: facts stay, and no list counts the millions of rows behind it."""

# ruff: noqa: ARG002 (the signatures are Django's)
# Unfold has no types.
# mypy: disable-error-code="misc"

from typing import Any

from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin


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

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyAdmin(DeskAdmin):
    """Facts that are not edited either."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
