"""The page that corrects where an order's parcel goes: a form with the present one, held to the checkout's rules."""

from dataclasses import asdict, fields
from typing import Any

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.module_loading import import_string
from unfold.widgets import UnfoldAdminTextInputWidget

from orders.admin.action_page import ActionPage, done_if
from orders.admin.base import UndeletableAdmin
from orders.models import Order
from orders.placing import Address
from orders.redirecting import NotRedirectable, address_of, redirect

_LABELS = {
    "name": "Name",
    "line1": "Street and number",
    "line2": "Flat, company, c/o",
    "city": "Town or city",
    "postcode": "Postcode",
    "country": "Country (two letters, such as GB)",
}


class AddressForm(forms.Form):
    def __init__(self, data: QueryDict | None, **options: Any) -> None:
        super().__init__(data, **options)
        for one in fields(Address):
            self.fields[one.name] = forms.CharField(
                required=False, label=_LABELS[one.name], widget=UnfoldAdminTextInputWidget
            )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        given = {one.name: cleaned.get(one.name, "") for one in fields(Address)}
        return {"address": import_string(settings.ADDRESS_CHECKED_BY)(given)}


def redirect_page(admin: UndeletableAdmin, request: HttpRequest, order: Order) -> HttpResponse:
    def act(form: AddressForm) -> str:
        changed = redirect(order.pk, form.cleaned_data["address"])
        done = done_if(
            changed,
            f"The parcel of order {order.number} goes to the new address. Replay its dead letter now.",
            f"The parcel of order {order.number} goes to this address already.",
        )
        admin.log_change(request, order, "Corrected the delivery address.")
        return done

    return ActionPage(
        permissions=["orders.change_order"],
        title=f"Delivery address of order {order.number}",
        sentence="The parcel goes to this address. What it was before stays in the order's timeline. The invoice keeps "
        "the address that the customer gave.",
        button="Correct the address",
        variant="primary",
        form=lambda data: AddressForm(data, initial=asdict(address_of(order))),
        act=act,
        refused_by=(NotRedirectable,),
        back=reverse("admin:orders_order_change", args=[order.pk]),
    ).respond(admin, request)
