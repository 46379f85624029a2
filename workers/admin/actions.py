"""What may be done about dead letters at the desk: replay, canary, discard. Each is a page that says what it will do,
with a form, and a POST; the same three for a failure's group, for one letter and for those selected in the list."""

# Unfold has no types.
# mypy: disable-error-code="misc"

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from workers.deadletters import canary, note, replay
from workers.deadletters.discarding import discard
from workers.models import DeadLetter

NOTHING = "Nothing to replay: somebody has resolved this already."


class WhyForm(forms.Form):
    why = forms.CharField(
        max_length=200,
        required=False,
        label="Note",
        widget=UnfoldAdminTextInputWidget,
        help_text="For the history: what was mended, say.",
    )


class CanaryForm(WhyForm):
    rate = forms.FloatField(
        min_value=0.01,
        max_value=canary.FASTEST,
        initial=canary.DEFAULT_RATE,
        label="Letters a second",
        widget=UnfoldAdminDecimalFieldWidget,
        help_text="How fast the rest follow, once the first has gone through.",
    )
    field_order = ("rate", "why")


class NoteForm(forms.Form):
    why = forms.CharField(max_length=300, label="Note", widget=UnfoldAdminTextInputWidget)


class DiscardForm(forms.Form):
    why = forms.CharField(
        max_length=200,
        label="Reason",
        widget=UnfoldAdminTextInputWidget,
        help_text="Why nothing is left to do about it. It stays in the history, and in that of a cancelled order.",
    )
    cancel_orders = forms.BooleanField(
        required=False,
        label="Cancel the orders that stand still because of it",
        widget=UnfoldBooleanWidget,
        help_text="Their stock goes back on the shelf, their money to the customers, and the customers are told.",
    )


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that may be done: the page's words, its form, and what it does with the letters that are open."""

    verb: str
    button: str
    question: str
    form: type[forms.Form]
    do: Callable[[HttpRequest, QuerySet[DeadLetter], Mapping[str, Any], str], None]
    danger: bool = False


def _replay(
    request: HttpRequest, letters: QuerySet[DeadLetter], said: Mapping[str, Any], _chosen: str
) -> None:
    count = replay(letters, by=request.user.get_username(), why=said["why"])
    if count:
        messages.success(request, f"Replayed {count:,}; their orders are due now.")
    else:
        messages.warning(request, NOTHING)


def _canary(
    request: HttpRequest, letters: QuerySet[DeadLetter], said: Mapping[str, Any], chosen: str
) -> None:
    words = f"{chosen}: {said['why']}" if said["why"] else chosen
    begun = canary.begin(letters, chosen=words, by=request.user.get_username(), rate=said["rate"])
    if begun:
        messages.success(
            request, f"Replay {begun.pk} begins with one of {begun.total:,} letters; look here how it goes."
        )
    else:
        messages.warning(request, f"{NOTHING} Or a running replay has them.")


def _discard(
    request: HttpRequest, letters: QuerySet[DeadLetter], said: Mapping[str, Any], _chosen: str
) -> None:
    result = discard(letters, request.user.get_username(), said["why"], cancel_orders=said["cancel_orders"])
    if result.letters:
        cancelled = f" Cancelled with them: {', '.join(result.cancelled)}." if result.cancelled else ""
        messages.success(request, f"Discarded {result.letters:,}.{cancelled}")
    for sentence in result.kept[:10]:
        messages.error(request, sentence)
    if more := result.kept[10:]:
        messages.error(request, f"… and {len(more):,} more like these.")
    if not result.letters and not result.kept:
        messages.warning(request, "Nothing to discard: somebody has resolved this already.")


def _note(request: HttpRequest, letters: QuerySet[DeadLetter], said: Mapping[str, Any], _chosen: str) -> None:
    count = note(letters.filter(resolved_at=None), request.user.get_username(), said["why"])
    messages.success(request, f"Noted in the history of {count:,}.")


DEEDS = {
    "replay": Deed(
        "Replay",
        "Replay",
        "The orders are due at once and go on where they stopped. Repair what made them fail first, or the letters "
        "come back. What is done already is not done twice.",
        WhyForm,
        _replay,
    ),
    "canary": Deed(
        "Canary replay of",
        "Begin",
        "The oldest letter is replayed alone. When its step has gone through, the rest follow at the rate below. "
        "The first that fails again halts the replay, and the letters it has not come to stay open.",
        CanaryForm,
        _canary,
    ),
    "discard": Deed(
        "Discard",
        "Discard",
        "The letters are closed and nothing more is done about them. One that an order stands still for is kept, "
        "unless its order is cancelled with it: no order is forgotten.",
        DiscardForm,
        _discard,
        danger=True,
    ),
    "note": Deed(
        "Note on",
        "Keep it",
        "Your words stand in the history, for whoever looks into this next. Nothing else changes.",
        NoteForm,
        _note,
    ),
}


def may_do(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("workers.change_deadletter"))


def ask_or_do(
    admin: "ModelAdmin[Any]",
    request: HttpRequest,
    deed: Deed,
    letters: QuerySet[DeadLetter],
    *,
    what: str,
    back: str,
    answered: bool,
    fields: Mapping[str, Sequence[str]] | None = None,
) -> HttpResponseBase | None:
    """The page that asks; or, `answered` with a form that is right, do it and return None.

    `fields` are sent back with the form; `back` is where "No" leads.
    """
    if not may_do(request):
        raise PermissionDenied
    form = deed.form(request.POST) if answered else deed.form()
    if answered and form.is_valid():
        deed.do(request, letters, form.cleaned_data, what)
        return None
    context = {
        **admin.admin_site.each_context(request),
        "opts": admin.opts,
        "title": f"{deed.verb} {what}",
        "question": deed.question,
        "button": deed.button,
        "variant": "danger" if deed.danger else "primary",
        "form": form,
        "back": back,
        "hidden": [(name, value) for name, values in (fields or {}).items() for value in values],
    }
    return TemplateResponse(request, "workers/admin/ask.html", context)
