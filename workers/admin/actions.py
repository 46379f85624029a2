"""What may be done about dead letters: replay, canary replay, discard, note. Each is a page that asks; the same four
serve the group of one failure, a single letter and those that are ticked in the list."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from orders.admin.action_page import ActionPage, Needless, done_if
from workers.deadletters import canary, note, replay
from workers.deadletters.discarding import discard
from workers.models import DeadLetter

MAY_ACT = "workers.change_deadletter"
_RESOLVED = "Nothing to replay: somebody has resolved this already."


class NoteForm(forms.Form):
    why = forms.CharField(max_length=300, label="Note", widget=UnfoldAdminTextInputWidget)


class ReplayForm(forms.Form):
    why = forms.CharField(
        max_length=200,
        required=False,
        label="Note",
        widget=UnfoldAdminTextInputWidget,
        help_text="For the history, for example what was repaired.",
    )


class CanaryForm(ReplayForm):
    rate = forms.FloatField(
        min_value=0.01,
        max_value=canary.FASTEST,
        initial=canary.DEFAULT_RATE,
        label="Letters a second",
        widget=UnfoldAdminDecimalFieldWidget,
        help_text="How fast the others follow when the first has gone through.",
    )
    field_order = ("rate", "why")


class DiscardForm(forms.Form):
    why = forms.CharField(
        max_length=200,
        label="Reason",
        widget=UnfoldAdminTextInputWidget,
        help_text="Why nothing is left to do about it. It stays in the history, and in that of a cancelled order.",
    )
    cancel_orders = forms.BooleanField(
        required=False,
        label="Cancel the orders that are stopped by it",
        widget=UnfoldBooleanWidget,
        help_text="Their stock goes back on the shelf, their money to the customers, and the customers are told.",
    )


@dataclass(frozen=True, slots=True)
class LetterAction:
    """One thing that may be done: its page's words, its form, and what it does with those of the letters that are open.

    `act` gets the request, the letters, the form's answers and what was chosen, in words.
    """

    verb: str
    button: str
    sentence: str
    form: type[forms.Form]
    act: Callable[[HttpRequest, QuerySet[DeadLetter], Mapping[str, Any], str], str]

    def page(
        self,
        request: HttpRequest,
        letters: QuerySet[DeadLetter],
        chosen: str,
        back: str,
        resent: Mapping[str, Sequence[str]] | None = None,
    ) -> ActionPage:
        return ActionPage(
            permissions=[MAY_ACT],
            title=f"{self.verb} {chosen}",
            sentence=self.sentence,
            button=self.button,
            variant="danger" if self.form is DiscardForm else "primary",
            form=self.form,
            act=lambda form: self.act(request, letters, form.cleaned_data, chosen),
            back=back,
            resent=resent or {},
        )


def _replay(
    request: HttpRequest, letters: QuerySet[DeadLetter], said: Mapping[str, Any], _chosen: str
) -> str:
    count = replay(letters, by=request.user.get_username(), why=said["why"])
    return done_if(count, f"Replayed {count:,}; their orders are due now.", _RESOLVED)


def _canary(request: HttpRequest, letters: QuerySet[DeadLetter], said: Mapping[str, Any], chosen: str) -> str:
    words = f"{chosen}: {said['why']}" if said["why"] else chosen
    begun = canary.begin(letters, chosen=words, by=request.user.get_username(), rate=said["rate"])
    if begun is None:
        raise Needless(f"{_RESOLVED} Or a running replay has them.")
    return f"Replay {begun.pk} begins with one of {begun.total:,} letters; its progress is shown here."


def _discard(
    request: HttpRequest, letters: QuerySet[DeadLetter], said: Mapping[str, Any], _chosen: str
) -> str:
    result = discard(letters, request.user.get_username(), said["why"], cancel_orders=said["cancel_orders"])
    more = [f"… and {len(result.kept) - 10:,} more like these."] if len(result.kept) > 10 else []
    for sentence in [*result.kept[:10], *more]:
        messages.error(request, sentence)
    cancelled = f" Cancelled with them: {', '.join(result.cancelled)}." if result.cancelled else ""
    done = f"Discarded {result.letters:,}.{cancelled}" if result.letters else ""
    return done_if(done or result.kept, done, "Nothing to discard: somebody has resolved this already.")


def _note(request: HttpRequest, letters: QuerySet[DeadLetter], said: Mapping[str, Any], _chosen: str) -> str:
    count = note(letters.filter(resolved_at=None), request.user.get_username(), said["why"])
    return f"Noted in the history of {count:,}."


ACTIONS = {
    "replay": LetterAction(
        "Replay",
        "Replay",
        "The orders are due at once and go on where they stopped. Repair what made them fail first, or the letters "
        "come back. What is done already is not done twice.",
        ReplayForm,
        _replay,
    ),
    "canary": LetterAction(
        "Canary replay of",
        "Begin",
        "The oldest letter is replayed alone. When its step has gone through, the others follow at the rate below. "
        "The first that fails again stops the replay, and the letters that it has not reached stay open.",
        CanaryForm,
        _canary,
    ),
    "discard": LetterAction(
        "Discard",
        "Discard",
        "The letters are closed and nothing more is done about them. A letter that stops an order is kept, unless its "
        "order is cancelled with it: no order is forgotten.",
        DiscardForm,
        _discard,
    ),
    "note": LetterAction(
        "Note on",
        "Keep it",
        "Your words go into the history, for whoever looks into this next. Nothing else changes.",
        NoteForm,
        _note,
    ),
}
