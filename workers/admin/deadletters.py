"""Dead letters in the admin: what was given up, why, and the buttons that replay or discard it.

The first page shows the failures, not the letters: five hundred orders that one bug broke are one entry. What the pages
show is in workers.admin.pages, what may be done is in workers.admin.actions.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.text import Truncator

from orders.admin.action_page import ActionPage, done_if, selection
from orders.admin.base import ChoiceFilter, ReadOnlyAdmin
from orders.admin.columns import briefly, column, link
from orders.models.order import id_of
from workers.admin import pages
from workers.admin.actions import ACTIONS, MAY_ACT, LetterAction
from workers.deadletters import canary
from workers.deadletters.choosing import RUNNING
from workers.models import DeadLetter, Replay


class OpenFilter(ChoiceFilter):
    """Open letters are those that need a person, so the list begins with them."""

    title = "state"
    parameter_name = "state"
    conditions = {"resolved": ("Resolved", Q(resolved_at__isnull=False)), "all": ("All", Q())}

    def choices(self, changelist: Any) -> Iterator[Any]:
        default, *others = super().choices(changelist)
        yield {**default, "display": "Open"}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> QuerySet[DeadLetter]:
        chosen = self.value() in self.conditions
        return super().queryset(request, queryset) if chosen else queryset.filter(resolved_at=None)


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    list_display = ("given_up", "task", "about", "error", "message_begins", "state", "alike")
    list_display_links = ("given_up", "task")
    list_filter = (OpenFilter, "task", "stops_order", "error_class", "created_at")
    list_select_related = ("order",)
    linked_by = ("fingerprint",)
    ordering = ("-id",)
    actions = ("replay_selected", "canary_selected", "discard_selected")
    search_fields = ("message",)
    search_help_text = "Order number, or words of the error"
    routes = {
        "groups": "groups/",
        "group": "groups/<str:fingerprint>/",
        "group_act": "groups/<str:fingerprint>/<str:action>/",
        "stop": "replays/<int:replay_id>/stop/",
        "act": "<int:letter_id>/do/<str:action>/",
    }
    given_up = column("Given up", lambda letter: briefly(letter.created_at), ordering="id")
    about = column("About", pages.about)
    error = column("Error", lambda letter: pages.short(letter.error_class))
    message_begins = column("Message", lambda letter: Truncator(letter.message).chars(90))
    state = column(
        "State",
        lambda letter: ("resolved", "Resolved") if letter.resolved_at else ("open", "Open"),
        label={"open": "danger", "resolved": "success"},
    )
    alike = column("Same failure", lambda letter: link(pages.group_address(letter.fingerprint), "All alike"))

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(MAY_ACT)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup == "fingerprint" or super().lookup_allowed(lookup, value, request)

    def found_by(self, letters: QuerySet[DeadLetter], term: str) -> QuerySet[DeadLetter]:
        order_id = id_of(term)
        return letters.filter(order_id=order_id) if order_id else letters.filter(message__icontains=term)

    @admin.action(description="Replay", permissions=["act"])
    def replay_selected(self, request: HttpRequest, chosen: QuerySet[DeadLetter]) -> HttpResponse:
        return self._selected(request, chosen, "replay")

    @admin.action(description="Canary replay", permissions=["act"])
    def canary_selected(self, request: HttpRequest, chosen: QuerySet[DeadLetter]) -> HttpResponse:
        return self._selected(request, chosen, "canary")

    @admin.action(description="Discard", permissions=["act"])
    def discard_selected(self, request: HttpRequest, chosen: QuerySet[DeadLetter]) -> HttpResponse:
        return self._selected(request, chosen, "discard")

    def _selected(self, request: HttpRequest, letters: QuerySet[DeadLetter], action: str) -> HttpResponse:
        what = f"{letters.filter(resolved_at=None).count():,} dead letters"
        resent = selection(request, f"{action}_selected")
        page = ACTIONS[action].page(request, letters, what, request.get_full_path(), resent)
        return page.respond(self, request)

    def groups_view(self, request: HttpRequest) -> HttpResponse:
        return self._page(request, "groups", pages.groups_page())

    def group_view(self, request: HttpRequest, fingerprint: str) -> HttpResponse:
        return self._page(request, "group", pages.group_page(fingerprint))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        _form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The letter's page, to read. It has no form, so there is nothing that a POST could change."""
        if request.method == "POST":
            raise PermissionDenied
        context = pages.letter_page(self._letter(request, object_id))
        return self._page(request, "letter", {**context, **(extra_context or {})})

    def group_act_view(self, request: HttpRequest, fingerprint: str, action: str) -> HttpResponse:
        letters = DeadLetter.objects.filter(fingerprint=fingerprint)
        what = f"{letters.filter(resolved_at=None).count():,} letters of group {fingerprint[:12]}"
        page = _action(action).page(request, letters, what, pages.group_address(fingerprint))
        return page.respond(self, request)

    def act_view(self, request: HttpRequest, letter_id: int, action: str) -> HttpResponse:
        letter = self._letter(request, letter_id)
        back = reverse("admin:workers_deadletter_change", args=[letter.pk])
        letters = DeadLetter.objects.filter(pk=letter.pk)
        page = _action(action).page(request, letters, f"{letter.task} of {letter.about}", back)
        return page.respond(self, request)

    def stop_view(self, request: HttpRequest, replay_id: int) -> HttpResponse:
        if not Replay.objects.filter(pk=replay_id, state__in=RUNNING).exists():
            raise Http404(f"There is no running replay {replay_id}; perhaps it has ended.")
        return ActionPage(
            permissions=[MAY_ACT],
            title=f"Stop replay {replay_id}",
            sentence="What it has replayed goes on. The letters that it has not reached stay open.",
            button="Stop it",
            act=lambda _: done_if(
                canary.stop(replay_id, request.user.get_username()),
                f"Replay {replay_id} is stopped.",
                f"Replay {replay_id} has ended already.",
            ),
            back=reverse("admin:workers_deadletter_groups"),
        ).respond(self, request)

    def _letter(self, request: HttpRequest, letter_id: str | int) -> DeadLetter:
        return self.row_or_404(request, DeadLetter.objects.select_related("order"), letter_id)

    def _page(self, request: HttpRequest, name: str, context: Mapping[str, Any]) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self.page(request, f"workers/admin/{name}.html", context)


def _action(name: str) -> LetterAction:
    if name not in ACTIONS:
        raise Http404(f"Dead letters have no action {name}; there are {', '.join(ACTIONS)}.")
    return ACTIONS[name]
