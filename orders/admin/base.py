"""What all lists of the admin share: rows are not deleted, and no list counts the millions of rows behind it.

Unfold, which the admin is made with, has no types: here its classes get those of Django's, which they extend.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django import forms
from django.contrib import admin
from django.core import paginator
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin as UnfoldAdmin

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    ModelForm = forms.ModelForm[Any]
    Paginator = paginator.Paginator[Any]
else:
    ModelAdmin, ModelForm, Paginator = UnfoldAdmin, forms.ModelForm, paginator.Paginator

Row = TypeVar("Row", bound=Model)


class CappedPaginator(Paginator):
    """Counts up to CAP rows and ends the list there: nobody turns to page 100; a search or a filter finds the rest."""

    CAP = 5_000
    object_list: QuerySet[Any]

    @cached_property
    def count(self) -> int:
        return self.object_list[: self.CAP].count()


class UndeletableAdmin(ModelAdmin):
    """A long list whose rows are never deleted."""

    list_per_page = 50
    list_fullwidth = True
    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # they count every row behind every filter

    linked_by: ClassVar[tuple[str, ...]] = ()
    """Columns that links of ours narrow the list by, besides the filters beside it."""

    routes: ClassVar[Mapping[str, str]] = {}
    """Pages of its own: "cancel" has the view `cancel_view` and the name `admin:<app>_<model>_cancel`."""

    def get_urls(self) -> list[URLPattern]:
        prefix = f"{self.opts.app_label}_{self.opts.model_name}"
        own = [
            path(route, self.admin_site.admin_view(getattr(self, f"{name}_view")), name=f"{prefix}_{name}")
            for name, route in self.routes.items()
        ]
        return [*own, *super().get_urls()]

    def has_delete_permission(self, _request: HttpRequest, _row: Model | None = None) -> bool:
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        found = self.found_by(queryset, term) if term else queryset
        return super().get_search_results(request, queryset, term) if found is None else (found, False)

    def found_by(self, _rows: QuerySet[Any], _term: str) -> QuerySet[Any] | None:
        """The rows that a search finds, by an index that suits the term; None is Django's way, by `search_fields`."""
        return None

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Only what a filter of this list asks. Django allows every column of the row: `?token__startswith=a` and so
        on would spell out what no page shows."""
        name = lookup.partition("__")[0]
        of_the_row = name in {"pk", *(field.name for field in self.opts.get_fields())}
        if of_the_row and name not in {*self.list_filter, *self.linked_by}:
            return False
        return super().lookup_allowed(lookup, value, request)

    def row_or_404(self, request: HttpRequest, rows: QuerySet[Row], key: str | int) -> Row:
        """The row, for somebody who may see it. Raises Http404 and PermissionDenied."""
        try:
            row = rows.get(pk=key)
        except (ObjectDoesNotExist, ValueError):
            raise Http404(f"There is no {self.opts.verbose_name} with the id {key}.") from None
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return row

    def page(self, request: HttpRequest, template: str, context: Mapping[str, Any]) -> TemplateResponse:
        """A page of its own, with the admin's menu around it."""
        around = {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(request, template, {**around, **context})


class ReadOnlyAdmin(UndeletableAdmin):
    """A long list whose rows are neither added nor edited nor deleted."""

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _row: Model | None = None) -> bool:
        return False


class ChoiceFilter(admin.SimpleListFilter):
    """A filter beside a list: each value with its name and the condition that it stands for."""

    conditions: ClassVar[Mapping[str, tuple[str, Q]]]

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(value, name) for value, (name, _) in self.conditions.items()]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        found = self.conditions.get(self.value() or "")
        return queryset.filter(found[1]) if found else queryset
