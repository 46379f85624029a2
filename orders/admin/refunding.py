"""The refund's two pages: a form that says what is left and asks what for, then one that says what it will do. Only
the second one's POST refunds, and sent twice it is one refund: the form's key goes all the way."""

# Unfold has no types.
# mypy: disable-error-code="misc"

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from orders.admin.confirming import confirming_page
from orders.models import Order
from orders.money import format
from orders.refunds import NotRefundable, Refundable, refund, refundable

WHOLE, PIECES = "whole", "pieces"


class RefundForm(forms.Form):
    """What to refund of what is left, why, and whether the goods are back."""

    key = forms.CharField(max_length=64, widget=forms.HiddenInput)
    reason = forms.CharField(
        max_length=300,
        widget=UnfoldAdminTextInputWidget,
        help_text="For the shop's books; the customer does not see it.",
    )
    restock = forms.BooleanField(
        required=False,
        label="The pieces are back and go on the shelf again",
        widget=UnfoldBooleanWidget,
    )

    def __init__(self, order: Order, left: Refundable, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.left, self.currency = left, order.currency
        self.fields["what"] = forms.ChoiceField(
            label="Refund",
            widget=UnfoldAdminRadioSelectWidget,
            choices=[
                (
                    WHOLE,
                    f"All that is left: {format(left.amount_minor, order.currency)}. It ends the order as refunded.",
                ),
                (PIECES, "These pieces, and the order stays completed:"),
            ],
        )
        for line in left.lines:
            self.fields[_name(line.id)] = forms.IntegerField(
                required=False,
                min_value=0,
                max_value=line.left,
                disabled=not line.left,
                label=f"{line.name} ({line.sku})",
                help_text=f"{line.left} of {line.ordered} left, {format(line.unit_price_minor, order.currency)} each",
                widget=UnfoldAdminIntegerFieldWidget,
            )
        self.order_fields(["key", "what", *(_name(line.id) for line in left.lines), "restock", "reason"])

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("what") == PIECES and not self.pieces():
            raise forms.ValidationError("Say how many pieces of which line.")
        return cleaned

    def pieces(self) -> dict[int, int] | None:
        """Quantities by line, None for all that is left."""
        if self.cleaned_data.get("what") == WHOLE:
            return None
        wanted = {line.id: self.cleaned_data.get(_name(line.id)) or 0 for line in self.left.lines}
        return {line_id: quantity for line_id, quantity in wanted.items() if quantity}

    def amount_minor(self) -> int:
        pieces = self.pieces()
        if pieces is None:
            return self.left.amount_minor
        return sum(line.unit_price_minor * pieces.get(line.id, 0) for line in self.left.lines)


def refund_view(admin: "ModelAdmin[Any]", request: HttpRequest, order: Order) -> HttpResponse:
    """GET: the form. POST: the page that says what it will do; with `confirmed` in it: the refund."""
    back = HttpResponseRedirect(reverse("admin:orders_order_change", args=[order.pk]))
    if request.method == "POST" and "confirmed" in request.POST:
        before = order.refunds.filter(request_key=request.POST.get("key", "")).first()
        if before:
            messages.info(request, f"{format(before.amount_minor, order.currency)} were refunded already.")
            return back
    try:
        left = refundable(order)
    except NotRefundable as reason:
        messages.error(request, str(reason))
        return back
    if request.method != "POST":
        return _ask(
            admin, request, order, RefundForm(order, left, initial={"key": uuid.uuid4(), "what": WHOLE})
        )
    form = RefundForm(order, left, data=request.POST)
    if not form.is_valid():
        return _ask(admin, request, order, form)
    amount = format(form.amount_minor(), order.currency)
    if "confirmed" not in request.POST:
        return confirming_page(
            admin,
            request,
            title=f"Refund {amount} of order {order.number}",
            question=_question(order, form, amount),
            button=f"Refund {amount}",
            back=request.path,
            fields={
                "confirmed": ["1"],
                **{name: request.POST.getlist(name) for name in form.fields if name in request.POST},
            },
        )
    try:
        made = refund(
            order.pk,
            form.pieces(),
            key=form.cleaned_data["key"],
            reason=form.cleaned_data["reason"],
            by=request.user.get_username(),
            restock=form.cleaned_data["restock"],
        )
    except NotRefundable as reason:
        messages.error(request, str(reason))
        return back
    admin.log_change(request, order, f"Refunded {format(made.amount_minor, order.currency)}: {made.reason}")
    messages.success(
        request, f"{format(made.amount_minor, order.currency)} of order {order.number} are on their way back."
    )
    return back


def _question(order: Order, form: RefundForm, amount: str) -> str:
    whole = form.amount_minor() == form.left.amount_minor
    ends = (
        "The order ends as refunded, and the customer is told by e-mail and SMS."
        if whole
        else "The order stays completed; the customer sees it on the order's page."
    )
    shelf = (
        "The pieces go on the shelf again and can be sold at once."
        if form.cleaned_data["restock"]
        else "Nothing goes back on the shelf."
    )
    return f"{amount} go back to the card of {order.name}. {ends} {shelf} It cannot be taken back."


def _ask(admin: "ModelAdmin[Any]", request: HttpRequest, order: Order, form: RefundForm) -> TemplateResponse:
    context = {
        **admin.admin_site.each_context(request),
        "opts": admin.opts,
        "title": f"Refund order {order.number}",
        "form": form,
        "back": reverse("admin:orders_order_change", args=[order.pk]),
    }
    return TemplateResponse(request, "orders/admin/form.html", context)


def _name(line: int) -> str:
    return f"line_{line}"
