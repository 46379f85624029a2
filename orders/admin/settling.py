"""The page that says that money which the provider will not give back was given back another way."""

from django import forms
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from unfold.widgets import UnfoldAdminTextInputWidget

from orders.admin.action_page import ActionPage
from orders.admin.base import UndeletableAdmin
from orders.models import Order
from orders.money import format
from orders.settling import NotSettleable, owed, settle, settleable


class SettleForm(forms.Form):
    how = forms.CharField(
        max_length=200,
        label="How it was given back",
        widget=UnfoldAdminTextInputWidget,
        help_text="For the shop's books, such as: bank transfer of 3 May. The customer does not see it.",
    )


def settle_page(admin: UndeletableAdmin, request: HttpRequest, order: Order) -> HttpResponse:
    left = owed(order) or 0
    amount = format(left, order.currency)

    def act(form: SettleForm) -> str:
        given_back = format(settle(order.pk), order.currency)
        admin.log_change(request, order, f"{given_back} given back another way: {form.cleaned_data['how']}")
        return f"{given_back} of order {order.number} count as given back; the order goes on."

    def ask(data: QueryDict | None) -> SettleForm:
        settleable(order)
        return SettleForm(data)

    return ActionPage(
        permissions=["orders.change_order", "orders.add_refund"],
        title=f"Given back another way: order {order.number}",
        sentence=f"{amount} count as given back to {order.name} without the payment provider, and the order goes on to "
        "its end. Look at the provider's own page first: what went back there must not go back twice."
        if left
        else "Nothing is known to be captured: the charge counts as void, and the order goes on to its end. Look at "
        "the provider's own page first, and give back there what it holds.",
        button="It was given back",
        form=ask,
        act=act,
        refused_by=(NotSettleable,),
        back=reverse("admin:orders_order_change", args=[order.pk]),
    ).respond(admin, request)
