"""The guest checkout's form. What its fields may hold is decided by shop.checkout.rules, as for the API."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from orders.placing import Address
from orders.states import PaymentMethod
from shop.checkout import rules, testcards

CASH_ON_DELIVERY = "cod"


class CheckoutForm(forms.Form):
    """Contact, address and payment on one page, every error beside its field."""

    email = forms.CharField(
        label="E-mail",
        max_length=rules.MAX_EMAIL,
        help_text="Your confirmation and invoice go here.",
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    phone = forms.CharField(
        label="Mobile phone",
        max_length=32,
        help_text="With its country code, such as +44 20 7946 0958. We text you when it ships.",
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel", "inputmode": "tel"}),
    )
    name = forms.CharField(
        label="Full name",
        max_length=rules.MAX_LENGTHS["name"],
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    line1 = forms.CharField(
        label="Street and number",
        max_length=rules.MAX_LENGTHS["line1"],
        widget=forms.TextInput(attrs={"autocomplete": "address-line1"}),
    )
    line2 = forms.CharField(
        label="Flat, company, c/o",
        max_length=rules.MAX_LENGTHS["line2"],
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "address-line2"}),
    )
    postcode = forms.CharField(
        label="Postcode",
        max_length=rules.MAX_LENGTHS["postcode"],
        widget=forms.TextInput(attrs={"autocomplete": "postal-code"}),
    )
    city = forms.CharField(
        label="Town or city",
        max_length=rules.MAX_LENGTHS["city"],
        widget=forms.TextInput(attrs={"autocomplete": "address-level2"}),
    )
    country = forms.ChoiceField(
        label="Country",
        choices=lambda: list(rules.COUNTRIES.items()),
        initial="GB",
        widget=forms.Select(attrs={"autocomplete": "country"}),
    )
    payment = forms.ChoiceField(
        label="Payment",
        choices=lambda: [
            *((card.token, card.name) for card in testcards.offered()),
            (CASH_ON_DELIVERY, "Cash on delivery"),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose how you want to pay.", "invalid_choice": "Choose one of these."},
    )

    _RULES: Mapping[str, Callable[[str], str]] = {
        "email": rules.email,
        "phone": rules.phone,
        "country": rules.country,
    }

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, **options)
        for field in self.fields.values():
            if not isinstance(field.widget, forms.RadioSelect):
                field.error_messages["required"] = "Please fill this in."
        # Only now, as it asks which fields are wrong.
        for name, field in self.fields.items():
            if not isinstance(field.widget, forms.RadioSelect):
                self._dress(name, field)

    def _dress(self, name: str, field: forms.Field) -> None:
        """The field's look, and for screen readers its error and its hint."""
        wrong = self.is_bound and name in self.errors
        kind = "select" if isinstance(field.widget, forms.Select) else "input"
        field.widget.attrs["class"] = f"{kind} w-full" + (f" {kind}-error" if wrong else "")
        if wrong:
            field.widget.attrs["aria-invalid"] = "true"
        described = [f"{name}-error"] * wrong + [f"{name}-hint"] * bool(field.help_text)
        if described:
            field.widget.attrs["aria-describedby"] = " ".join(described)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        for name, rule in self._RULES.items():
            self._apply(name, rule)
        for name, longest in rules.MAX_LENGTHS.items():
            self._apply(name, partial(rules.text, longest=longest, blank=True))
        return cleaned

    def _apply(self, name: str, rule: Callable[[str], str]) -> None:
        if name not in self.cleaned_data:
            return
        try:
            self.cleaned_data[name] = rule(self.cleaned_data[name])
        except ValueError as error:
            self.add_error(name, ValidationError(str(error)))

    def address(self) -> Address:
        return Address(**{name: self.cleaned_data[name] for name in Address.__slots__})

    @property
    def payment_method(self) -> str:
        by_cash = self.cleaned_data["payment"] == CASH_ON_DELIVERY
        return str(PaymentMethod.COD if by_cash else PaymentMethod.CARD)

    @property
    def payment_token(self) -> str:
        return "" if self.payment_method == PaymentMethod.COD else str(self.cleaned_data["payment"])

    @property
    def unusual_card(self) -> bool:
        """One of the cards that are folded away was chosen, so the template must show them."""
        return any(card.token == self["payment"].value() and not card.everyday for card in self.cards)

    @property
    def cards(self) -> tuple[testcards.TestCard, ...]:
        """For the template, which tells each card's story beside it."""
        return testcards.offered()
