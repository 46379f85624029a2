"""Printouts: asked for here, followed here, downloaded through a link that is good for minutes.

The page writes a row and is done; a worker makes the file.
"""

from collections.abc import Callable

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.module_loading import import_string
from unfold.widgets import UnfoldAdminDateWidget, UnfoldAdminSelectWidget

from orders.admin.action_page import ActionPage, done_if
from orders.admin.base import ReadOnlyAdmin
from orders.admin.columns import briefly, column, display
from orders.models import Order, Printout
from orders.printouts import asking
from orders.printouts.labels import days

STATE_COLOURS = {
    Printout.State.WAITING: "info",
    Printout.State.MAKING: "primary",
    Printout.State.DONE: "success",
    Printout.State.FAILED: "danger",
}
_MAY_ASK = "orders.add_printout"


class PrintoutForm(forms.Form):
    """What to print, and for which days."""

    kind = forms.ChoiceField(label="What", choices=Printout.Kind.choices, widget=UnfoldAdminSelectWidget)
    since = forms.DateField(
        label="From", required=False, widget=UnfoldAdminDateWidget, initial=timezone.localdate
    )
    until = forms.DateField(
        label="To",
        required=False,
        widget=UnfoldAdminDateWidget,
        initial=timezone.localdate,
        help_text="This day is included. Days are those of the shop's time zone; the catalogue needs none.",
    )


@admin.register(Printout)
class PrintoutAdmin(ReadOnlyAdmin):
    list_display = ("named", "what", "state_shown", "progress", "by", "asked", "next_step")
    list_display_links = None
    list_filter = ("kind", "state")
    ordering = ("-id",)
    change_list_template = "orders/admin/printouts.html"
    routes = {
        "ask": "ask/",
        "download": "<int:printout_id>/download/",
        "cancel": "<int:printout_id>/cancel/",
        "again": "<int:printout_id>/again/",
    }
    named = column("Printout", str, ordering="id")
    what = column("What", lambda printout: (printout.get_kind_display(), days(printout)), header=True)
    state_shown = column(
        "Status",
        lambda printout: (printout.state, printout.get_state_display()),
        ordering="state",
        label=STATE_COLOURS,
    )
    asked = column("Asked for", lambda printout: briefly(printout.created_at), ordering="id")

    @display("Progress")
    def progress(self, printout: Printout) -> str:
        if printout.state == Printout.State.FAILED:
            return printout.problem[:200]
        if printout.state != Printout.State.DONE:
            return f"{printout.percent} %" if printout.rows_total else ""
        pages = f"{printout.pages:,} pages, " if printout.pages else ""
        return f"{pages}{printout.size / 1e6:,.1f} MB"

    @display("")
    def next_step(self, printout: Printout) -> str:
        if printout.state == Printout.State.DONE:
            page, words = "download", "Download"
        elif printout.state in Printout.UNDER_WAY:
            page, words = "cancel", "Cancel…"
        else:
            page, words = "again", "Try again…"
        address = reverse(f"admin:orders_printout_{page}", args=[printout.pk])
        return format_html('<a class="text-link whitespace-nowrap" href="{}">{}</a>', address, words)

    def ask_view(self, request: HttpRequest) -> HttpResponse:
        def act(form: PrintoutForm) -> str:
            said = form.cleaned_data
            kind = Printout.Kind(said["kind"])
            dated = kind != Printout.Kind.CATALOGUE
            of_days = {"since": said["since"], "until": said["until"]} if dated else {}
            made = asking.ask(kind, by=request.user.get_username(), **of_days)
            return f"{made} is under way: {kind.label.lower()} {days(made)}."

        return ActionPage(
            permissions=[_MAY_ASK],
            title="Print or save something",
            button="Go on",
            variant="primary",
            form=PrintoutForm,
            act=act,
            refused_by=(asking.NotPrintable,),
            back=list_page(),
        ).respond(self, request)

    def download_view(self, request: HttpRequest, printout_id: int) -> HttpResponse:
        """To a link that is good for minutes."""
        printout = self.row_or_404(request, Printout.objects.all(), printout_id)
        if printout.state != Printout.State.DONE:
            raise Http404(f"{printout} is {printout.get_state_display().lower()}: there is no file.")
        link: Callable[..., str] = import_string(settings.FILES_LINKED_BY)
        kind = "text/csv; charset=utf-8" if printout.suffix == "csv" else "application/pdf"
        return HttpResponseRedirect(link(printout.file, printout.filename, kind, list_page()))

    def cancel_view(self, request: HttpRequest, printout_id: int) -> HttpResponse:
        printout = self.row_or_404(request, Printout.objects.all(), printout_id)
        return ActionPage(
            permissions=[_MAY_ASK],
            title=f"Cancel {printout}",
            sentence="It stops at its next page; what was made of it is thrown away.",
            button="Cancel it",
            act=lambda _: done_if(
                asking.cancel(printout), f"{printout} is cancelled.", f"{printout} has ended already."
            ),
            back=list_page(),
        ).respond(self, request)

    def again_view(self, request: HttpRequest, printout_id: int) -> HttpResponse:
        printout = self.row_or_404(request, Printout.objects.all(), printout_id)
        return ActionPage(
            permissions=[_MAY_ASK],
            title=f"Try {printout} again",
            sentence="It is made from the beginning, from what the tables say now.",
            button="Try again",
            act=lambda _: done_if(
                asking.again(printout),
                f"{printout} is under way.",
                f"{printout} is under way or done already.",
            ),
            back=list_page(),
        ).respond(self, request)


def list_page() -> str:
    return reverse("admin:orders_printout_changelist")


def ask_for(request: HttpRequest, kind: Printout.Kind, queryset: QuerySet[Order]) -> HttpResponse | None:
    """Ask for a printout of the orders that were ticked in the list."""
    chosen = list(queryset.order_by().values_list("pk", flat=True)[: asking.MOST_ORDERS + 1])
    try:
        made = asking.ask(kind, by=request.user.get_username(), orders=chosen)
    except asking.NotPrintable as reason:
        messages.error(request, str(reason))
        return None
    messages.success(request, f"{made} is under way: {kind.label.lower()} for {len(chosen):,} orders.")
    return HttpResponseRedirect(list_page())
