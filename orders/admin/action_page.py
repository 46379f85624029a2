"""The page between a button and what it does: it says what will happen, and only a POST from its form makes it happen.

A link leads here and changes nothing. The POST carries the CSRF token, so no link in an e-mail and no browser that
loads pages in advance cancels an order.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from orders.admin.base import UndeletableAdmin

_YES = "confirmed"


class Needless(Exception):
    """Nothing was left to do; the message says why, and the page is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionPage:
    """What the page says, asks and does.

    `form` gets the POST, or None while nothing was answered yet. `act` gets the form when it is filled in correctly; it
    returns what was done in words ("" when nothing is left to say), or another page that asks further. Both may raise
    Needless or one of `refused_by`, exceptions that say why nothing was done: a form that was filled in is shown again,
    with the message on it.
    """

    permissions: Collection[str]  # whoever lacks one of them neither sees the page nor acts
    title: str
    sentence: str = ""  # what will happen
    button: str
    form: Callable[..., Form] = Form
    act: Callable[[Any], str | HttpResponse]
    refused_by: tuple[type[Exception], ...] = ()
    back: str  # the address that "No, go back" leads to
    after: str = ""  # the address to go to when it is done; "" is `back`
    variant: Literal["danger", "primary"] = "danger"  # the button's colour
    resent: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """For a page that is itself the answer to a POST: what that POST said. It is sent again, together with the yes."""

    def respond(self, admin: UndeletableAdmin, request: HttpRequest) -> HttpResponse:
        if not request.user.has_perms(self.permissions):
            raise PermissionDenied
        answered = request.method == "POST" and (not self.resent or _YES in request.POST)
        form: Form | None = None
        try:
            form = self.form(request.POST if answered else None)
            done = self.act(form) if form.is_valid() else self._page(admin, request, form)
        except Needless as reason:
            messages.warning(request, str(reason))
        except self.refused_by as reason:
            if form is not None and form.fields:
                form.add_error(None, str(reason))
                return self._page(admin, request, form)
            messages.error(request, str(reason))
        else:
            if isinstance(done, HttpResponse):
                return done
            if done:
                messages.success(request, done)
        return HttpResponseRedirect(self.after or self.back)

    def _page(self, admin: UndeletableAdmin, request: HttpRequest, form: Form) -> HttpResponse:
        resent = {**self.resent, _YES: ["yes"]} if self.resent else {}
        hidden = [(name, value) for name, values in resent.items() for value in values]
        context = {"page": self, "title": self.title, "form": form, "hidden": hidden}
        return admin.page(request, "orders/admin/action.html", context)


def selection(request: HttpRequest, action: str) -> dict[str, Sequence[str]]:
    """What a list's bulk action resends: the action and the rows that are ticked."""
    return {
        "action": [action],
        "select_across": [request.POST.get("select_across", "0")],
        ACTION_CHECKBOX_NAME: request.POST.getlist(ACTION_CHECKBOX_NAME),
    }


def done_if(happened: object, done: str, needless: str) -> str:
    """For `act`: what was done in words; raises Needless when nothing happened."""
    if not happened:
        raise Needless(needless)
    return done
