"""The page that cancels an order. Where nobody knows if the carrier has its parcel, it asks what the carrier says."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.widgets import UnfoldBooleanWidget

from orders.admin.action_page import ActionPage
from orders.admin.base import UndeletableAdmin
from orders.cancelling import NotCancellable, cancel, unanswered
from orders.models import Order
from orders.money import format


class UnansweredForm(forms.Form):
    """For a parcel that was asked for without an answer."""

    carrier_has_nothing = forms.BooleanField(
        label="I have asked the carrier: it has no parcel of this order",
        widget=UnfoldBooleanWidget,
        help_text="It was asked for one and has not answered, so it may have it. Cancelled all the same, the customer "
        "would have both the goods and the money.",
    )


def cancel_page(admin: UndeletableAdmin, request: HttpRequest, order: Order) -> HttpResponse:
    def act(form: Any) -> str:
        has_nothing = form.cleaned_data.get("carrier_has_nothing", False)
        cancel(order.token, detail="Cancelled by the shop.", carrier_has_nothing=has_nothing)
        admin.log_change(
            request, order, "Cancelled; the carrier has no parcel of it." if has_nothing else "Cancelled."
        )
        return f"Order {order.number} is cancelled."

    return ActionPage(
        permissions=["orders.change_order"],
        title=f"Cancel order {order.number}",
        sentence=f"The order of {order.name} over {format(order.total_minor, order.currency)} ends for good: its "
        "stock goes back on the shelf, its money goes back to the customer, and the customer is told.",
        button="Cancel the order",
        form=UnansweredForm if unanswered(order) else forms.Form,
        act=act,
        refused_by=(NotCancellable,),
        back=reverse("admin:orders_order_change", args=[order.pk]),
    ).respond(admin, request)
