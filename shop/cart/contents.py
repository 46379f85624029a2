"""What a cart holds, as its visitor sees it: products, prices, tax, and whether there is enough of each.

Two queries however full the cart is. What is shown here is a picture of the moment; the price that counts is
asked again when the order is placed (shop.checkout.quoting), and stock is only promised by orders.inventory.
"""

from dataclasses import dataclass

from django.conf import settings

from orders import inventory
from orders.money import tax_within
from shop.cart.keeping import Held
from shop.catalogue.models import Product

LOW_STOCK = 10  # from here on the shopper is told how many are left


@dataclass(frozen=True, slots=True)
class Availability:
    """How many of a product can be had now, in words fit for a shopper."""

    on_hand: int

    @property
    def sold_out(self) -> bool:
        return self.on_hand <= 0

    @property
    def low(self) -> bool:
        return 0 < self.on_hand <= LOW_STOCK


@dataclass(frozen=True, slots=True)
class CartLine:
    product: Product
    quantity: int
    stock: Availability

    @property
    def total_minor(self) -> int:
        """Gross, in the currency's minor unit."""
        return self.product.price_minor * self.quantity

    @property
    def tax_minor(self) -> int:
        return tax_within(self.total_minor, self.product.tax_rate_bp)

    @property
    def too_many(self) -> bool:
        """More are wanted than there are."""
        return self.quantity > self.stock.on_hand


@dataclass(frozen=True, slots=True)
class Contents:
    """The lines that can be bought; `gone` names the SKUs that were in the cart and are not sold any more."""

    lines: list[CartLine]
    gone: list[str]

    @property
    def pieces(self) -> int:
        return sum(line.quantity for line in self.lines)

    @property
    def total_minor(self) -> int:
        """Gross, in the currency's minor unit."""
        return sum(line.total_minor for line in self.lines)

    @property
    def tax_minor(self) -> int:
        """The tax within the total, rounded line by line as on the invoice."""
        return sum(line.tax_minor for line in self.lines)

    @property
    def currency(self) -> str:
        return settings.CURRENCY

    @property
    def short(self) -> bool:
        """Something in it is not there in the number that is wanted."""
        return any(line.too_many for line in self.lines)


def look_up(held: Held) -> Contents:
    """What is in the cart; products that are not sold any more, or not in our currency, are gone."""
    on_sale = Product.objects.filter(sku__in=held.items, active=True, currency=settings.CURRENCY)
    products = {product.sku: product for product in on_sale} if held.items else {}
    on_hand = inventory.on_hand(list(products)) if products else {}
    lines = [
        CartLine(products[sku], quantity, Availability(on_hand.get(sku, 0)))
        for sku, quantity in held.items.items()
        if sku in products
    ]
    return Contents(lines, [sku for sku in held.items if sku not in products])
