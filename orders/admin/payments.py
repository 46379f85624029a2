"""What the payment provider reported and what the reconciler found, at the desk. Both are only read: a finding is open
until the provider and our books agree again, whatever anybody thinks of it."""

# ruff: noqa: ARG002 (the signatures are Django's)
# Unfold has no types.
# mypy: disable-error-code="misc, untyped-decorator"

from typing import Any

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from orders.admin.desk import ReadOnlyAdmin, briefly, link_to_order
from orders.models import Finding, ProviderEvent
from orders.models.order import id_of
from orders.money import format


class AppliedFilter(SimpleListFilter):
    title = "applied"
    parameter_name = "applied"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "Waiting"), ("nobody", "About no order of ours"), ("yes", "Applied")]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[ProviderEvent]) -> QuerySet[ProviderEvent]:
        match self.value():
            case "no":
                return queryset.filter(applied_at=None)
            case "nobody":
                return queryset.filter(applied_at=None, order=None)
            case "yes":
                return queryset.exclude(applied_at=None)
        return queryset


@admin.register(ProviderEvent)
class ProviderEventAdmin(ReadOnlyAdmin):
    list_display = ("received", "kind", "for_order", "reference", "times", "stands")
    list_filter = (AppliedFilter, "gateway")
    ordering = ("-id",)
    search_fields = ("reference",)
    search_help_text = "Order number, the provider's id of the charge or of the report"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ProviderEvent], search_term: str
    ) -> tuple[QuerySet[ProviderEvent], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        if term.upper().startswith("S-") and (order_id := id_of(term)):
            return queryset.filter(order_id=order_id), False
        if term.startswith("evt_"):
            return queryset.filter(event_id=term), False
        return queryset.filter(reference=term), False

    @display(description="Received", ordering="id")
    def received(self, event: ProviderEvent) -> str:
        return briefly(event.received_at)

    @display(description="Order")
    def for_order(self, event: ProviderEvent) -> str:
        return link_to_order(event.order_id) if event.order_id else "–"

    @display(
        description="Stands", label={"Applied": "success", "Waiting": "warning", "No order of ours": "danger"}
    )
    def stands(self, event: ProviderEvent) -> str:
        if event.applied_at:
            return "Applied"
        return "Waiting" if event.order_id else "No order of ours"


class OpenFilter(SimpleListFilter):
    title = "open"
    parameter_name = "open"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Open"), ("no", "Resolved")]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Finding]) -> QuerySet[Finding]:
        if self.value() not in ("yes", "no"):
            return queryset
        return queryset.filter(resolved_at__isnull=self.value() == "yes")


@admin.register(Finding)
class FindingAdmin(ReadOnlyAdmin):
    list_display = ("seen", "kind", "for_order", "ours", "theirs", "stands", "detail")
    list_filter = (OpenFilter, "kind", "gateway")
    ordering = ("-id",)
    search_fields = ("reference",)
    search_help_text = "The provider's id of the charge"

    @display(description="First seen", ordering="id")
    def seen(self, finding: Finding) -> str:
        return briefly(finding.first_seen_at)

    @display(description="Order")
    def for_order(self, finding: Finding) -> str:
        return link_to_order(finding.order_id) if finding.order_id else "–"

    @display(description="Our books")
    def ours(self, finding: Finding) -> str:
        return format(finding.ours_minor, finding.currency)

    @display(description="The provider")
    def theirs(self, finding: Finding) -> str:
        return format(finding.theirs_minor, finding.currency)

    @display(description="Stands", label={"Open": "danger", "Resolved": "success"})
    def stands(self, finding: Finding) -> str:
        return "Resolved" if finding.resolved_at else "Open"
