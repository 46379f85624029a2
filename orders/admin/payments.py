"""What the payment provider reported, what the reconciler found, and what went back without our asking. A finding is
open until the provider and our books agree again, or until somebody who has settled it says how."""

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.widgets import UnfoldAdminTextInputWidget

from orders.admin.action_page import ActionPage, done_if
from orders.admin.base import ChoiceFilter, ReadOnlyAdmin
from orders.admin.columns import briefly, column, display, link, order_column
from orders.models import Finding, ProviderEvent, Reversal
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


class CloseForm(forms.Form):
    """How a finding was settled."""

    why = forms.CharField(
        label="How it was settled",
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text="For the shop's books: whose charge it is, or what was done about it.",
    )


class OpenFilter(ChoiceFilter):
    title = "open"
    parameter_name = "open"
    conditions = {"yes": ("Open", Q(resolved_at=None)), "no": ("Resolved", Q(resolved_at__isnull=False))}


@admin.register(Finding)
class FindingAdmin(ReadOnlyAdmin):
    list_display = ("seen", "kind", "for_order", "ours", "theirs", "status", "detail", "settled")
    list_filter = (OpenFilter, "kind", "gateway")
    ordering = ("-id",)
    search_fields = ("reference",)
    search_help_text = "The provider's id of the charge"
    routes = {"close": "<int:finding_id>/close/"}
    seen = column("First seen", lambda finding: briefly(finding.first_seen_at), ordering="id")
    for_order = order_column
    ours = column("Our books", lambda finding: format(finding.ours_minor, finding.currency))
    theirs = column("The provider", lambda finding: format(finding.theirs_minor, finding.currency))
    status = column(
        "Status",
        lambda finding: "Resolved" if finding.resolved_at else "Open",
        label={"Open": "danger", "Resolved": "success"},
    )

    @display("Settled")
    def settled(self, finding: Finding) -> str:
        if finding.resolved_at:
            return finding.resolution
        return link(reverse("admin:orders_finding_close", args=[finding.pk]), "Close…")

    def close_view(self, request: HttpRequest, finding_id: int) -> HttpResponse:
        finding = self.row_or_404(request, Finding.objects.all(), finding_id)

        def act(form: CloseForm) -> str:
            by, why = request.user.get_username(), form.cleaned_data["why"]
            closed = Finding.objects.filter(pk=finding.pk, resolved_at=None).update(
                resolved_at=Now(), closed_by=by, resolution=f"Closed by {by}: {why}"[:300]
            )
            if closed:
                self.log_change(request, finding, f"Closed: {why}")
            return done_if(
                closed, f"The finding about {finding.reference} is closed.", "It is closed already."
            )

        return ActionPage(
            permissions=["orders.change_finding"],
            title=f"Close the finding about {finding.reference}",
            sentence=f"{finding.detail} Nothing is paid, charged or written into the order. The finding comes back "
            "only if one of the amounts changes.",
            button="Close it",
            form=CloseForm,
            act=act,
            back=reverse("admin:orders_finding_changelist"),
        ).respond(self, request)


class UndecidedFilter(ChoiceFilter):
    title = "decided"
    parameter_name = "decided"
    conditions = {
        "no": ("Not decided", Q(status__in=[Reversal.Status.ASKED, Reversal.Status.OPEN])),
        "yes": ("Decided", ~Q(status__in=[Reversal.Status.ASKED, Reversal.Status.OPEN])),
    }


@admin.register(Reversal)
class ReversalAdmin(ReadOnlyAdmin):
    list_display = ("seen", "kind", "for_order", "amount", "status_now", "reference")
    list_filter = (UndecidedFilter, "kind")
    list_select_related = ("order",)
    ordering = ("-id",)
    search_fields = ("reference",)
    search_help_text = "The provider's id of the refund or dispute"
    seen = column("First seen", lambda reversal: briefly(reversal.seen_at), ordering="id")
    for_order = order_column
    amount = column("Amount", lambda reversal: format(reversal.amount_minor, reversal.order.currency))
    status_now = column(
        "Status",
        lambda reversal: (reversal.status, reversal.get_status_display()),
        label={
            Reversal.Status.ASKED: "warning",
            Reversal.Status.OPEN: "danger",
            Reversal.Status.WON: "success",
            Reversal.Status.GIVEN_BACK: "info",
        },
    )
