"""How payment providers count money, and how much of it one charge may be, by currency.

Our amounts are integers of the minor unit as ISO 4217 has it (orders.money). Providers have units of their own for some
currencies, take only multiples of a step, and have a least and a most. What each of them says stands here and nowhere
else: its adapter converts by it, the checkout refuses by it what cannot be charged, and refunds keep to its steps.

**Stripe**: docs.stripe.com/currencies, as it was in November 2026. HUF and TWD are payable to the shop in whole units
only, but charged with two decimals. The least depends on the currency that Stripe pays out in; here it is that of the
charge, so a conversion may raise it, and then Stripe refuses the charge itself, which is a decline. Card networks have
bounds of their own below the most (American Express: nine digits); beyond those it is a decline too.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings

from orders.money import decimals, format

# Twelve digits, in whichever unit: no provider takes more at once.
MOST = 999_999_999_999


@dataclass(frozen=True, slots=True)
class Counting:
    """How a provider counts a currency: its unit has so many `digits` after the point. The others are in that unit."""

    currency: str
    digits: int
    step: int = 1
    least: int = 1
    most: int = MOST

    def units(self, minor: int) -> int:
        """Our amount as the provider counts it; for one that `problem` has nothing to say of, and for refunds of it."""
        return int(minor * 10**self.digits // 10 ** decimals(self.currency))

    def minor(self, units: int) -> int:
        """The provider's amount as we count it."""
        return int(units * 10 ** decimals(self.currency) // 10**self.digits)

    @property
    def step_minor(self) -> int:
        return self._at_least(self.step)

    def _at_least(self, units: int) -> int:
        """The smallest amount of ours that is no less."""
        return -self.minor(-units)

    def problem(self, minor: int) -> str:
        """Why a card cannot be charged with so much, in words for the shopper; "" when it can."""
        amount, least = format(minor, self.currency), self._at_least(self.least)
        if minor < least:
            return (
                f"{amount} is too little for a card: {format(least, self.currency)} is the least. "
                "Add something to the order, or pay on delivery."
            )
        if minor > self.minor(self.most):
            return "The total is more than one payment can be; split the order."
        if minor % self.step_minor:
            return (
                f"{amount} cannot be charged to a card: it has to be a multiple of "
                f"{format(self.step_minor, self.currency)}. Change the order, or pay on delivery."
            )
        return ""


# The least charges in Stripe's unit, of currencies with two decimals.
_STRIPE_LEAST = {
    "AED": 200, "ARS": 50, "AUD": 50, "BRL": 50, "CAD": 50, "CHF": 50, "COP": 50, "CZK": 15_00, "DKK": 250, "EUR": 50,
    "GBP": 30, "HKD": 400, "HUF": 175_00, "IDR": 50, "ILS": 50, "INR": 50, "MXN": 10_00, "MYR": 200, "NOK": 300,
    "NZD": 50, "PHP": 50, "PLN": 200, "RON": 200, "RUB": 50, "SEK": 300, "SGD": 50, "THB": 10_00, "USD": 50, "ZAR": 50,
}  # fmt: skip
_STRIPE: dict[str, Counting] = {
    row.currency: row
    for row in (
        *(Counting(currency, 2, least=least) for currency, least in _STRIPE_LEAST.items()),
        # Without decimals; ISO 4217 counts two for MGA.
        *(
            Counting(currency, 0)
            for currency in (
                *("BIF", "CLP", "DJF", "GNF", "KMF", "MGA", "PYG", "RWF"),
                *("VND", "VUV", "XAF", "XOF", "XPF"),
            )
        ),
        Counting("JPY", 0, least=50),
        Counting("KRW", 0, least=50),
        # Without decimals since a while, but still sent with two, which have to be 00.
        Counting("ISK", 2, step=100),
        Counting("UGX", 2, step=100),
        # Three decimals, of which the last has to be 0.
        *(Counting(currency, 3, step=10) for currency in ("BHD", "JOD", "KWD", "OMR", "TND")),
    )
}


def stripe(currency: str) -> Counting:
    """By Stripe's table; a currency that is not in it has two decimals."""
    return _STRIPE.get(currency) or Counting(currency, 2)


def _as_iso(currency: str) -> Counting:
    return Counting(currency, decimals(currency))


_TABLES: dict[str, Callable[[str], Counting]] = {"stripe": stripe}


def counting(currency: str) -> Counting:
    """How the provider that PAYMENT_GATEWAY names counts the currency: as we do, unless its table is here."""
    return _TABLES.get(settings.PAYMENT_GATEWAY, _as_iso)(currency)
