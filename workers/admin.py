"""Dead letters at the operator's desk: what was given up, why, and the button that takes it up again.

Replaying changes data, so it is a page that asks and a POST, for one letter and for many alike.
"""

# ruff: noqa: ARG002 (the signatures are Django's)
# Unfold has no types.
# mypy: disable-error-code="misc, untyped-decorator"

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import action, display

from orders.admin.confirming import confirming_page
from orders.admin.desk import ReadOnlyAdmin, briefly, link_to_order
from orders.models.order import id_of
from workers.deadletters import replay
from workers.models import DeadLetter

QUESTION = (
    "The orders are due at once and go on where they stopped. Repair what made them fail first, or the letters "
    "come back. What is done already is not done twice."
)


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
    list_display = ("buried", "task", "for_order", "error", "message_begins", "state", "alike")
    list_display_links = ("buried", "task")
    list_filter = (OpenFilter, "task", "stops_order", "error_class")
    ordering = ("-id",)
    actions = ("replay_selected",)
    actions_detail = ("replay_one",)
    search_fields = ("message",)
    search_help_text = "Order number, or words of the error"
    fields = (
        "for_order",
        "task",
        "stops_order",
        "created_at",
        "resolved_at",
        "resolution",
        "error_class",
        "message",
        "whole_traceback",
    )
    readonly_fields = fields

    def has_replay_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("workers.change_deadletter"))

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

    @display(description="Order")
    def for_order(self, letter: DeadLetter) -> str:
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
        address = reverse("admin:workers_deadletter_changelist")
        return format_html(
            '<a class="text-link" href="{}?fingerprint={}">All alike</a>', address, letter.fingerprint
        )

    @display(description="Traceback")
    def whole_traceback(self, letter: DeadLetter) -> str:
        return format_html(
            '<pre class="text-xs" style="white-space:pre-wrap;overflow-wrap:anywhere">{}</pre>',
            letter.traceback or "None was kept.",
        )

    @admin.action(description="Replay", permissions=["replay"])
    def replay_selected(
        self, request: HttpRequest, queryset: QuerySet[DeadLetter]
    ) -> HttpResponseBase | None:
        """First the page that asks, which sends the same choice once more with a yes."""
        if "confirmed" in request.POST:
            self._replay(request, queryset)
            return None
        across = request.POST.get("select_across", "0")
        chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
        return confirming_page(
            self,
            request,
            title=f"Replay {queryset.filter(resolved_at=None).count():,} dead letters",
            question=QUESTION,
            button="Replay them",
            back=request.get_full_path(),
            fields={
                "action": ["replay_selected"],
                "select_across": [across],
                "confirmed": ["yes"],
                ACTION_CHECKBOX_NAME: chosen,
            },
        )

    @action(description="Replay", url_path="replay", permissions=["replay"])
    def replay_one(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        letters = DeadLetter.objects.filter(pk=object_id)
        letter = letters.select_related("order").first()
        if letter is None:
            raise Http404(f"There is no dead letter with the id {object_id}.")
        back = reverse("admin:workers_deadletter_change", args=[letter.pk])
        if request.method == "POST":
            self._replay(request, letters)
            return HttpResponseRedirect(back)
        title = f"Replay {letter.task} of {letter.about}"
        return confirming_page(self, request, title=title, question=QUESTION, button="Replay it", back=back)

    def _replay(self, request: HttpRequest, letters: QuerySet[DeadLetter]) -> None:
        count = replay(letters, by=request.user.get_username())
        if count:
            messages.success(request, f"Replayed {count:,}; their orders are due now.")
        else:
            messages.warning(request, "Nothing to replay: somebody has resolved this already.")
