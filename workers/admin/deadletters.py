"""Dead letters at the operator's desk: what was given up, why, and the buttons that take it up again or throw it away.

Its first page shows the failures, not the letters: five hundred orders that one bug broke are one entry. What changes
anything is a page that asks and a POST (workers.admin.actions); what the pages show is in workers.admin.pages.
"""

# ruff: noqa: ARG002 (the signatures are Django's)
# Unfold has no types.
# mypy: disable-error-code="misc, untyped-decorator"

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from unfold.decorators import display

from orders.admin.confirming import confirming_page
from orders.admin.desk import ReadOnlyAdmin, briefly, link_to_order
from orders.models.order import id_of
from workers.admin import pages
from workers.admin.actions import DEEDS, ask_or_do, may_do
from workers.deadletters import canary
from workers.models import DeadLetter


class OpenFilter(admin.SimpleListFilter):
    """Open ones are what the desk is for, so they are what the list begins with."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("resolved", "Resolved"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        default, *others = super().choices(changelist)
        yield {**default, "display": "Open"}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> QuerySet[DeadLetter]:
        if self.value() == "all":
            return queryset
        return queryset.filter(resolved_at__isnull=self.value() != "resolved")


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    list_display = ("buried", "task", "about", "error", "message_begins", "state", "alike")
    list_display_links = ("buried", "task")
    list_filter = (OpenFilter, "task", "stops_order", "error_class", "created_at")
    list_select_related = ("order",)
    ordering = ("-id",)
    actions = ("replay_selected", "canary_selected", "discard_selected")
    search_fields = ("message",)
    search_help_text = "Order number, or words of the error"

    def has_deed_permission(self, request: HttpRequest) -> bool:
        return may_do(request)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup == "fingerprint" or bool(super().lookup_allowed(lookup, value, request))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[DeadLetter], search_term: str
    ) -> tuple[QuerySet[DeadLetter], bool]:
        term = search_term.strip()
        if order_id := id_of(term):
            return queryset.filter(order_id=order_id), False
        return queryset.filter(message__icontains=term), False

    @display(description="Given up", ordering="id")
    def buried(self, letter: DeadLetter) -> str:
        return briefly(letter.created_at)

    @display(description="About")
    def about(self, letter: DeadLetter) -> str:
        return link_to_order(letter.order_id) if letter.order_id else letter.subject

    @display(description="Error")
    def error(self, letter: DeadLetter) -> str:
        return letter.error_class.rpartition(".")[2]

    @display(description="Message")
    def message_begins(self, letter: DeadLetter) -> str:
        return letter.message if len(letter.message) <= 90 else f"{letter.message[:89]}…"

    @display(description="State", label={"open": "danger", "resolved": "success"})
    def state(self, letter: DeadLetter) -> tuple[str, str]:
        return ("resolved", "Resolved") if letter.resolved_at else ("open", "Open")

    @display(description="Same failure")
    def alike(self, letter: DeadLetter) -> str:
        address = reverse("admin:workers_deadletter_group", args=[letter.fingerprint])
        return format_html('<a class="text-link" href="{}">All alike</a>', address)

    @admin.action(description="Replay", permissions=["deed"])
    def replay_selected(self, request: HttpRequest, chosen: QuerySet[DeadLetter]) -> HttpResponseBase | None:
        return self._selected(request, chosen, "replay")

    @admin.action(description="Canary replay", permissions=["deed"])
    def canary_selected(self, request: HttpRequest, chosen: QuerySet[DeadLetter]) -> HttpResponseBase | None:
        return self._selected(request, chosen, "canary")

    @admin.action(description="Discard", permissions=["deed"])
    def discard_selected(self, request: HttpRequest, chosen: QuerySet[DeadLetter]) -> HttpResponseBase | None:
        return self._selected(request, chosen, "discard")

    def _selected(
        self, request: HttpRequest, chosen: QuerySet[DeadLetter], deed: str
    ) -> HttpResponseBase | None:
        """First the page that asks, which sends the same choice once more with a yes."""
        return ask_or_do(
            self,
            request,
            DEEDS[deed],
            chosen,
            what=f"{chosen.filter(resolved_at=None).count():,} dead letters",
            back=request.get_full_path(),
            answered="confirmed" in request.POST,
            fields={
                "action": [f"{deed}_selected"],
                "select_across": [request.POST.get("select_across", "0")],
                "confirmed": ["yes"],
                ACTION_CHECKBOX_NAME: request.POST.getlist(ACTION_CHECKBOX_NAME),
            },
        )

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        own = [
            ("groups/", self.groups_view, "groups"),
            ("groups/<str:fingerprint>/", self.group_view, "group"),
            ("groups/<str:fingerprint>/<str:deed>/", self.group_deed_view, "group_deed"),
            ("replays/<int:replay_id>/stop/", self.stop_view, "stop"),
            ("<int:letter_id>/do/<str:deed>/", self.deed_view, "deed"),
        ]
        return [
            *(path(route, view(work), name=f"workers_deadletter_{name}") for route, work, name in own),
            *super().get_urls(),
        ]

    def groups_view(self, request: HttpRequest) -> HttpResponseBase:
        self._may_view(request)
        context = {"title": "Dead letters", **pages.groups_page(may_do=may_do(request))}
        return self._page(request, "groups", context)

    def group_view(self, request: HttpRequest, fingerprint: str) -> HttpResponseBase:
        self._may_view(request)
        return self._page(request, "group", pages.group_page(fingerprint, may_do=may_do(request)))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponseBase:
        """The letter's page, to read. There is no form, so there is nothing that a POST could change."""
        self._may_view(request)
        if request.method == "POST":
            raise PermissionDenied
        context = pages.letter_page(self._letter(object_id), may_do=may_do(request))
        return self._page(request, "letter", {**context, **(extra_context or {})})

    def group_deed_view(self, request: HttpRequest, fingerprint: str, deed: str) -> HttpResponseBase:
        letters = DeadLetter.objects.filter(fingerprint=fingerprint)
        count = letters.filter(resolved_at=None).count()
        back = reverse("admin:workers_deadletter_group", args=[fingerprint])
        return self._deed(request, deed, letters, f"{count:,} letters of group {fingerprint[:12]}", back)

    def deed_view(self, request: HttpRequest, letter_id: int, deed: str) -> HttpResponseBase:
        letter = self._letter(letter_id)
        back = reverse("admin:workers_deadletter_change", args=[letter.pk])
        letters = DeadLetter.objects.filter(pk=letter.pk)
        return self._deed(request, deed, letters, f"{letter.task} of {letter.about}", back)

    def stop_view(self, request: HttpRequest, replay_id: int) -> HttpResponseBase:
        if not may_do(request):
            raise PermissionDenied
        replay = pages.running(replay_id)
        back = reverse("admin:workers_deadletter_groups")
        if request.method != "POST":
            return confirming_page(
                self,
                request,
                title=f"Stop replay {replay.pk}",
                question="What it has replayed goes on. The letters it has not come to stay open.",
                button="Stop it",
                back=back,
            )
        if canary.stop(replay.pk, request.user.get_username()):
            messages.success(request, f"Replay {replay.pk} is stopped.")
        return HttpResponseRedirect(back)

    def _deed(
        self, request: HttpRequest, deed: str, letters: QuerySet[DeadLetter], what: str, back: str
    ) -> HttpResponseBase:
        if deed not in DEEDS:
            raise Http404(f"Dead letters cannot be made to {deed}.")
        answered = request.method == "POST"
        page = ask_or_do(self, request, DEEDS[deed], letters, what=what, back=back, answered=answered)
        return page or HttpResponseRedirect(back)

    def _letter(self, letter_id: str | int) -> DeadLetter:
        try:
            return DeadLetter.objects.select_related("order").get(pk=letter_id)
        except (DeadLetter.DoesNotExist, ValueError):
            raise Http404(f"There is no dead letter with the id {letter_id}.") from None

    def _may_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _page(self, request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponseBase:
        own = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return TemplateResponse(request, f"workers/admin/{name}.html", own)
