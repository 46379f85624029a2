"""What the payment provider reported and what the reconciler found. Both are only read: a finding is open until the
provider and our books agree again, whatever anybody thinks of it."""

from django.contrib import admin
from django.db.models import Q, QuerySet

from orders.admin.base import ChoiceFilter, ReadOnlyAdmin
from orders.admin.columns import briefly, column, display, order_column
from orders.models import Finding, ProviderEvent
from orders.models.order import id_of
from orders.money import format


class AppliedFilter(ChoiceFilter):
    title = "applied"
    parameter_name = "applied"
    conditions = {
        "no": ("Waiting", Q(applied_at=None)),
        "nobody": ("About no order of ours", Q(applied_at=None, order=None)),
        "yes": ("Applied", Q(applied_at__isnull=False)),
    }


@admin.register(ProviderEvent)
class ProviderEventAdmin(ReadOnlyAdmin):
    list_display = ("received", "kind", "for_order", "reference", "times", "status")
    list_filter = (AppliedFilter, "gateway")
    ordering = ("-id",)
    search_fields = ("reference",)
    search_help_text = "Order number, the provider's id of the charge or of the report"
    received = column("Received", lambda event: briefly(event.received_at), ordering="id")
    for_order = order_column

    def found_by(self, events: QuerySet[ProviderEvent], term: str) -> QuerySet[ProviderEvent]:
        if term.upper().startswith("S-") and (order_id := id_of(term)):
            return events.filter(order_id=order_id)
        return events.filter(**{"event_id" if term.startswith("evt_") else "reference": term})

    @display("Status", label={"Applied": "success", "Waiting": "warning", "No order of ours": "danger"})
    def status(self, event: ProviderEvent) -> str:
        if event.applied_at:
            return "Applied"
        return "Waiting" if event.order_id else "No order of ours"


class OpenFilter(ChoiceFilter):
    title = "open"
    parameter_name = "open"
    conditions = {"yes": ("Open", Q(resolved_at=None)), "no": ("Resolved", Q(resolved_at__isnull=False))}


@admin.register(Finding)
class FindingAdmin(ReadOnlyAdmin):
    list_display = ("seen", "kind", "for_order", "ours", "theirs", "status", "detail")
    list_filter = (OpenFilter, "kind", "gateway")
    ordering = ("-id",)
    search_fields = ("reference",)
    search_help_text = "The provider's id of the charge"
    seen = column("First seen", lambda finding: briefly(finding.first_seen_at), ordering="id")
    for_order = order_column
    ours = column("Our books", lambda finding: format(finding.ours_minor, finding.currency))
    theirs = column("The provider", lambda finding: format(finding.theirs_minor, finding.currency))
    status = column(
        "Status",
        lambda finding: "Resolved" if finding.resolved_at else "Open",
        label={"Open": "danger", "Resolved": "success"},
    )
