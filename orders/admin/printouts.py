"""Printouts at the desk: asked for here, followed here, downloaded through a link that is good for minutes.

The page writes a row and is done; a worker makes the file. Calling one off and trying again go through a page that
asks.
"""


# Unfold has no types.
# mypy: disable-error-code="misc, untyped-decorator"

from collections.abc import Callable
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.module_loading import import_string
from unfold.decorators import display
from unfold.widgets import UnfoldAdminDateWidget, UnfoldAdminSelectWidget

from orders.admin.confirming import confirming_page
from orders.admin.desk import ReadOnlyAdmin, briefly
from orders.models import Order, Printout
from orders.printouts import asking
from orders.printouts.labels import days

STATE_COLOURS = {
    Printout.State.WAITING: "info",
    Printout.State.MAKING: "primary",
    Printout.State.DONE: "success",
    Printout.State.FAILED: "danger",
}


class PrintoutForm(forms.Form):
    """What to print, and for which days."""

    kind = forms.ChoiceField(label="What", choices=Printout.Kind.choices, widget=UnfoldAdminSelectWidget)
    since = forms.DateField(label="From", required=False, widget=UnfoldAdminDateWidget)
    until = forms.DateField(
        label="To",
        required=False,
        widget=UnfoldAdminDateWidget,
        help_text="That day included; days are UTC's. The catalogue has none.",
    )


@admin.register(Printout)
class PrintoutAdmin(ReadOnlyAdmin):
    list_display = ("named", "what", "state_shown", "progress", "by", "asked", "deeds")
    list_display_links = None
    list_filter = ("kind", "state")
    ordering = ("-id",)
    change_list_template = "orders/admin/printouts.html"

    @display(description="Printout", ordering="id")
    def named(self, printout: Printout) -> str:
        return str(printout)

    @display(description="What", header=True)
    def what(self, printout: Printout) -> tuple[str, str]:
        return printout.get_kind_display(), days(printout)

    @display(description="Status", ordering="state", label=STATE_COLOURS)
    def state_shown(self, printout: Printout) -> tuple[str, str]:
        return printout.state, printout.get_state_display()

    @display(description="How far")
    def progress(self, printout: Printout) -> str:
        if printout.state == Printout.State.FAILED:
            return printout.problem[:200]
        if printout.state != Printout.State.DONE:
            return f"{printout.percent} %" if printout.rows_total else ""
        pages = f"{printout.pages:,} pages, " if printout.pages else ""
        return f"{pages}{printout.size / 1e6:,.1f} MB"

    @display(description="Asked for", ordering="id")
    def asked(self, printout: Printout) -> str:
        return briefly(printout.created_at)

    @display(description="")
    def deeds(self, printout: Printout) -> str:
        if printout.state == Printout.State.DONE:
            shown = [("download", "Download")]
        elif printout.state in Printout.UNDER_WAY:
            shown = [("cancel", "Cancel…")]
        else:
            shown = [("again", "Try again…")]
        return format_html_join(
            " ",
            '<a class="text-link whitespace-nowrap" href="{}">{}</a>',
            ((reverse(f"admin:orders_printout_{deed}", args=[printout.pk]), words) for deed, words in shown),
        )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        more = {"may_ask": request.user.has_perm("orders.add_printout"), **(extra_context or {})}
        response: HttpResponseBase = super().changelist_view(request, more)
        return response

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("ask/", view(self.ask_view), name="orders_printout_ask"),
            path("<int:printout_id>/download/", view(self.download_view), name="orders_printout_download"),
            path("<int:printout_id>/cancel/", view(self.cancel_view), name="orders_printout_cancel"),
            path("<int:printout_id>/again/", view(self.again_view), name="orders_printout_again"),
            *super().get_urls(),
        ]

    def ask_view(self, request: HttpRequest) -> HttpResponse:
        may_ask(request)
        today = timezone.now().date()
        form = PrintoutForm(request.POST or None, initial={"since": today, "until": today})
        if request.method == "POST" and form.is_valid():
            said = form.cleaned_data
            kind = Printout.Kind(said["kind"])
            of_days = (
                {} if kind == Printout.Kind.CATALOGUE else {"since": said["since"], "until": said["until"]}
            )
            try:
                made = asking.ask(kind, by=request.user.get_username(), **of_days)
            except asking.NotPrintable as reason:
                form.add_error(None, str(reason))
            else:
                messages.success(request, f"{made} is under way: {kind.label.lower()} {days(made)}.")
                return HttpResponseRedirect(list_page())
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Print or save something",
            "form": form,
            "back": list_page(),
        }
        return TemplateResponse(request, "orders/admin/form.html", context)

    def download_view(self, request: HttpRequest, printout_id: int) -> HttpResponseBase:
        """To a link that is good for minutes."""
        printout = self._printout(request, printout_id)
        if printout.state != Printout.State.DONE:
            raise Http404(f"{printout} is {printout.get_state_display().lower()}: there is no file.")
        link: Callable[..., str] = import_string(settings.FILES_LINKED_BY)
        kind = "text/csv; charset=utf-8" if printout.suffix == "csv" else "application/pdf"
        return HttpResponseRedirect(link(printout.file, printout.filename, kind, list_page()))

    def cancel_view(self, request: HttpRequest, printout_id: int) -> HttpResponseBase:
        return self._ask_first(
            request,
            printout_id,
            asking.cancel,
            title="Cancel {}",
            question="It stops at its next page; what was made of it is thrown away.",
            button="Cancel it",
            done="{} is cancelled.",
            too_late="{} has ended already.",
        )

    def again_view(self, request: HttpRequest, printout_id: int) -> HttpResponseBase:
        return self._ask_first(
            request,
            printout_id,
            asking.again,
            title="Try {} again",
            question="It is made from the beginning, as things stand now.",
            button="Try again",
            done="{} is under way.",
            too_late="{} is under way or done already.",
        )

    def _ask_first(
        self, request: HttpRequest, printout_id: int, deed: Callable[[Printout], bool], **words: str
    ) -> HttpResponseBase:
        may_ask(request)
        printout = self._printout(request, printout_id)
        if request.method != "POST":
            return confirming_page(
                self,
                request,
                title=words["title"].format(printout),
                question=words["question"],
                button=words["button"],
                back=list_page(),
            )
        if deed(printout):
            messages.success(request, words["done"].format(printout))
        else:
            messages.warning(request, words["too_late"].format(printout))
        return HttpResponseRedirect(list_page())

    def _printout(self, request: HttpRequest, printout_id: int) -> Printout:
        found = Printout.objects.filter(pk=printout_id).first()
        if found is None:
            raise Http404(f"There is no printout with the id {printout_id}.")
        if not self.has_view_permission(request, found):
            raise PermissionDenied
        return found


def list_page() -> str:
    return reverse("admin:orders_printout_changelist")


def may_ask(request: HttpRequest) -> None:
    """Raises PermissionDenied for who may not."""
    if not request.user.has_perm("orders.add_printout"):
        raise PermissionDenied


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
