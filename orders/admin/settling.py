"""The page that says that money which the provider will not give back was given back another way."""

from django import forms
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from orders.admin.action_page import ActionPage
from orders.admin.base import UndeletableAdmin
from orders.models import Order
from orders.money import format
from orders.settling import NotSettleable, owed, reported, settle, settleable


class SettleForm(forms.Form):
    how = forms.CharField(
        max_length=200,
        label="How it was given back",
        widget=UnfoldAdminTextInputWidget,
        help_text="For the shop's books, such as: bank transfer of 3 May. The customer does not see it.",
    )


class ReportedForm(SettleForm):
    """For an order of which the provider has reported what it does not show when it is asked."""

    provider_shows_nothing = forms.BooleanField(
        required=False,
        label="The provider's own page shows neither a refund nor a dispute of this charge",
        widget=UnfoldBooleanWidget,
        help_text="It has reported one, and a replay of the dead letter takes it over. Only when that cannot be, such "
        "as after a change of the shop's account, set the report aside.",
    )


def settle_page(admin: UndeletableAdmin, request: HttpRequest, order: Order) -> HttpResponse:
    left = owed(order) or 0
    amount = format(left, order.currency)

    is_reported = reported(order)

    def act(form: SettleForm) -> str:
        shows_nothing = form.cleaned_data.get("provider_shows_nothing", False)
        given_back = format(settle(order.pk, provider_shows_nothing=shows_nothing), order.currency)
        admin.log_change(request, order, f"{given_back} given back another way: {form.cleaned_data['how']}")
        if shows_nothing and not left:
            return f"What the provider reported of order {order.number} is set aside; the order goes on."
        return f"{given_back} of order {order.number} count as given back; the order goes on."

    def ask(data: QueryDict | None) -> SettleForm:
        settleable(order, provider_shows_nothing=is_reported)
        return ReportedForm(data) if is_reported else SettleForm(data)

    return ActionPage(
        permissions=["orders.change_order", "orders.add_refund"],
        title=f"Given back another way: order {order.number}",
        sentence=f"{amount} count as given back to {order.name} without the payment provider, and the order goes on to "
        "its end. Look at the provider's own page first: what went back there must not go back twice."
        if left
        else "Nothing is to be given back: the provider's report is set aside, and the order goes on to its end."
        if is_reported
        else "Nothing is known to be captured: the charge counts as void, and the order goes on to its end. Look at "
        "the provider's own page first, and give back there what it holds.",
        button="It was given back",
        form=ask,
        act=act,
        refused_by=(NotSettleable,),
        back=reverse("admin:orders_order_change", args=[order.pk]),
    ).respond(admin, request)
