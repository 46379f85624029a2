"""The refund's two pages: a form that says what is left and asks what to refund, then a page that says what it will do.
Only the second one's POST refunds, and sent twice it is one refund: the form's key goes with it all the way."""

import uuid
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from orders.admin.action_page import ActionPage, Needless
from orders.admin.base import UndeletableAdmin
from orders.models import Order
from orders.money import format
from orders.refunds import NotRefundable, Refundable, refund, refundable
from orders.states import OrderStatus, PaymentMethod

WHOLE, PIECES = "whole", "pieces"


class RefundForm(forms.Form):
    """What to refund of what is left, why, and whether the goods are back."""

    key = forms.CharField(max_length=64, widget=forms.HiddenInput, initial=uuid.uuid4)
    reason = forms.CharField(
        max_length=300,
        widget=UnfoldAdminTextInputWidget,
        help_text="For the shop's books; the customer does not see it.",
    )
    restock = forms.BooleanField(
        required=False, label="The pieces are back and go on the shelf again", widget=UnfoldBooleanWidget
    )

    def __init__(self, order: Order, left: Refundable, *args: Any) -> None:
        super().__init__(*args)
        self.left = left
        whole = (
            f"All that is left: {format(left.amount_minor, order.currency)}. It ends the order as refunded."
        )
        self.fields["what"] = forms.ChoiceField(
            label="Refund",
            initial=WHOLE,
            widget=UnfoldAdminRadioSelectWidget,
            choices=[(WHOLE, whole)]
            + [(PIECES, "These pieces, and the order stays completed:")]
            * (order.status == OrderStatus.COMPLETED),
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


def refund_page(admin: UndeletableAdmin, request: HttpRequest, order: Order) -> HttpResponse:
    """The form; after it, the page that says what it will do; after that one's POST, the order's page."""
    permissions = ["orders.change_order", "orders.add_refund"]
    order_page = reverse("admin:orders_order_change", args=[order.pk])

    def ask(data: QueryDict | None) -> RefundForm:
        before = order.refunds.filter(request_key=data.get("key", "")).first() if data else None
        if before:
            raise Needless(f"{format(before.amount_minor, order.currency)} were refunded already.")
        return RefundForm(order, refundable(order), data)

    def confirm(form: RefundForm) -> HttpResponse:
        amount = format(form.amount_minor(), order.currency)
        return ActionPage(
            permissions=permissions,
            title=f"{_verb(order)} {amount} of order {order.number}",
            sentence=_sentence(order, form, amount),
            button=f"{_verb(order)} {amount}",
            act=lambda _: act(form),
            refused_by=(NotRefundable,),
            back=request.path,
            after=order_page,
            resent={name: request.POST.getlist(name) for name in form.fields if name in request.POST},
        ).respond(admin, request)

    def act(form: RefundForm) -> str:
        said = form.cleaned_data
        made = refund(
            order.pk,
            form.pieces(),
            key=said["key"],
            reason=said["reason"],
            by=request.user.get_username(),
            restock=said["restock"],
        )
        amount = format(made.amount_minor, order.currency)
        if _is_cash(order):
            admin.log_change(request, order, f"Credited {amount} for goods that came back: {made.reason}")
            return f"{amount} of order {order.number} are credited; no money goes out."
        admin.log_change(request, order, f"Refunded {amount}: {made.reason}")
        return f"{amount} of order {order.number} are on their way back."

    return ActionPage(
        permissions=permissions,
        title=f"Take back order {order.number}" if _is_cash(order) else f"Refund order {order.number}",
        button="Go on",
        variant="primary",
        form=ask,
        act=confirm,
        refused_by=(NotRefundable,),
        back=order_page,
    ).respond(admin, request)


def _sentence(order: Order, form: RefundForm, amount: str) -> str:
    money = (
        f"No money goes out: a credit note over {amount} says that {order.name} has nothing to pay. If it was paid at "
        "the door, give that back as it was paid."
        if _is_cash(order)
        else f"{amount} go back to the card of {order.name}."
    )
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
    return f"{money} {ends} {shelf} It cannot be undone."


def _is_cash(order: Order) -> bool:
    return order.payment_method == PaymentMethod.COD


def _verb(order: Order) -> str:
    return "Credit" if _is_cash(order) else "Refund"


def _name(line: int) -> str:
    return f"line_{line}"
