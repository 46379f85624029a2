"""The guest checkout's form. What its fields may hold is decided by shop.checkout.rules, as for the API."""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError

from orders.placing import Address
from orders.states import PaymentMethod
from shop.checkout import rules, testcards

CASH_ON_DELIVERY = "cod"
_REQUIRED = {"required": "Please fill this in."}


class _Line(forms.CharField):
    """A line to type into, held to a rule, which may depend on the country; `looks` are attributes of its element."""

    def __init__(
        self,
        label: str,
        longest: int,
        autocomplete: str,
        *,
        rule: Callable[[str], str] | None = None,
        hint: str = "",
        **looks: str,
    ) -> None:
        widget = forms.TextInput(attrs={"autocomplete": autocomplete, **looks})
        super().__init__(
            label=label, max_length=longest, help_text=hint, widget=widget, error_messages=_REQUIRED
        )
        self.rule = rule or str

    def clean(self, value: Any) -> str:
        try:
            return self.rule(super().clean(value))
        except ValueError as error:
            raise ValidationError(str(error)) from None


class CheckoutForm(forms.Form):
    """Contact, address and payment on one page, every error beside its field."""

    email = _Line(
        "E-mail",
        rules.MAX_EMAIL,
        "email",
        rule=rules.email,
        hint="Your confirmation and invoice go here.",
        type="email",
    )
    phone = _Line(
        "Mobile phone",
        rules.MAX_PHONE,
        "tel",
        hint="We text you when it ships. From another country than the address: with its code, such as +44 …",
        type="tel",
        inputmode="tel",
    )
    name = _Line("Full name", rules.MAX_LENGTHS["name"], "name")
    line1 = _Line("Street and number", rules.MAX_LENGTHS["line1"], "address-line1")
    line2 = _Line("Flat, company, c/o", rules.MAX_LENGTHS["line2"], "address-line2")
    postcode = _Line("Postcode", rules.MAX_LENGTHS["postcode"], "postal-code")
    city = _Line("Town or city", rules.MAX_LENGTHS["city"], "address-level2")
    country = forms.ChoiceField(
        label="Country",
        choices=list(rules.COUNTRIES.items()),
        initial="GB",
        error_messages=_REQUIRED,
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

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, **options)
        country = str(self["country"].value())
        cast(_Line, self.fields["phone"]).rule = partial(rules.phone, country=country)
        for name in rules.MAX_LENGTHS:
            cast(_Line, self.fields[name]).rule = partial(rules.address_line, name, country=country)
        self.fields["line2"].required = False
        self.fields["postcode"].required = rules.needs_postcode(country)
        for name, field in self.fields.items():
            if name != "payment":
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
