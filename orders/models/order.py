"""The order, its lines and its append-only log.

What the shopper entered and what the catalogue priced is written once, when the order is placed, and never changes.
Only the status and the columns that schedule the work do.
"""

from django.db import models
from django.db.models.functions import Lower, Now

from orders.links import order_path, order_url
from orders.states import EventKind, OrderStatus, PaymentMethod

NUMBER_PREFIX = "S-"
NUMBER_OFFSET = 100_000


def number_of(order_id: int) -> str:
    """The number that people see and say: S-100017 for the order with id 17."""
    return f"{NUMBER_PREFIX}{order_id + NUMBER_OFFSET}"


def id_of(number: str) -> int | None:
    """The id behind a number as people type it ("S-100017", "s100017", "100017"); None if it cannot be one."""
    digits = number.strip().upper().removeprefix("S").removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        return None
    found = int(digits) - NUMBER_OFFSET
    return found if found > 0 else None


def id_of_exactly(number: str) -> int | None:
    """The id behind a number as we write it ourselves, None for any other: "100017" may be anybody's."""
    found = id_of(number)
    return found if found and number_of(found) == number else None


class Order(models.Model):
    # Unique by constraint: `unique=True` adds an index for LIKE to each, which every step of an order would write.
    token = models.CharField(max_length=32, help_text="Unguessable; whoever has it may see the order.")
    idempotency_key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of the request that placed the order.")

    email = models.EmailField(max_length=254)
    phone = models.CharField(max_length=32)
    name = models.CharField(max_length=120)
    line1 = models.CharField(max_length=200)
    line2 = models.CharField(max_length=200, blank=True)
    city = models.CharField(max_length=100)
    postcode = models.CharField(max_length=20)
    country = models.CharField(max_length=2, help_text="ISO 3166-1 alpha-2.")

    payment_method = models.CharField(max_length=8, choices=PaymentMethod.choices)
    currency = models.CharField(max_length=3)
    total_minor = models.BigIntegerField(help_text="Gross total in the currency's minor unit.")
    tax_minor = models.BigIntegerField(help_text="Tax within the total, in the currency's minor unit.")
    placed_at = models.DateTimeField(db_default=Now())

    status = models.CharField(max_length=20, choices=OrderStatus.choices, db_default=OrderStatus.PLACED)
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When nothing was left to do for it.")

    # When to look at the order next, and how often that was done (orders.scheduling).
    due_at = models.DateTimeField(null=True, blank=True, db_default=Now())
    attempts = models.SmallIntegerField(
        db_default=0, help_text="Attempts since the last progress; above 0 one is under way."
    )
    attempts_total = models.IntegerField(db_default=0, help_text="Attempts in the order's whole life.")
    alone = models.BooleanField(
        db_default=False, help_text="It failed in a batch and is dispatched alone now."
    )

    class Meta:
        ordering = ["-id"]
        # Beside what Django gives every model: whoever has this page's address acts as the customer.
        permissions = [("open_customer_page", "Can open the customer's page of an order")]
        constraints = [
            models.UniqueConstraint(fields=["token"], name="order_token_unique"),
            models.UniqueConstraint(fields=["idempotency_key"], name="order_once_per_key"),
            models.CheckConstraint(condition=models.Q(total_minor__gt=0), name="order_total_positive"),
            models.CheckConstraint(
                condition=models.Q(tax_minor__gte=0, tax_minor__lte=models.F("total_minor")),
                name="order_tax_within_total",
            ),
        ]
        indexes = [
            models.Index(name="order_due", fields=["due_at"], condition=models.Q(due_at__isnull=False)),
            models.Index(name="order_by_status", fields=["status", "id"]),
            models.Index(Lower("email"), name="order_by_email_lower"),
            # Orders that nobody pays for are counted (orders.unpaid).
            models.Index(
                name="order_cash_by_phone", fields=["phone"], condition=models.Q(payment_method="cod")
            ),
            models.Index(
                name="order_cash_by_postcode", fields=["postcode"], condition=models.Q(payment_method="cod")
            ),
            # The few that are not due although they have not ended: they wait for a person.
            models.Index(
                name="order_set_aside",
                fields=["id"],
                condition=models.Q(due_at__isnull=True, ended_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.number

    def get_absolute_url(self) -> str:
        return order_path(self.token)

    @property
    def number(self) -> str:
        return number_of(self.pk)

    @property
    def net_minor(self) -> int:
        """Total without tax, in the currency's minor unit."""
        return self.total_minor - self.tax_minor

    @property
    def url(self) -> str:
        return order_url(self.token)


class OrderLine(models.Model):
    """What was ordered at which price. A trigger in the database refuses any change of it."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="lines", db_index=False)
    position = models.PositiveSmallIntegerField()
    sku = models.CharField("SKU", max_length=40)
    name = models.CharField(max_length=200)
    quantity = models.PositiveIntegerField()
    unit_price_minor = models.BigIntegerField()
    tax_rate_bp = models.PositiveIntegerField()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["order", "sku"], name="line_once_per_sku"),
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="line_quantity_positive"),
            models.CheckConstraint(condition=models.Q(unit_price_minor__gt=0), name="line_price_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku}"

    @property
    def total_minor(self) -> int:
        """Gross, in the currency's minor unit."""
        return self.quantity * self.unit_price_minor


class OrderEvent(models.Model):
    """What happened to an order, written in the transaction that did it. A trigger keeps all but `published_at`."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="events", db_index=False)
    kind = models.CharField(max_length=32)
    at = models.DateTimeField(db_default=models.Func(function="clock_timestamp"))
    detail = models.CharField(max_length=300, blank=True, db_default="")
    published_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(name="event_by_order", fields=["order", "id"]),
            models.Index(
                name="event_unpublished", fields=["id"], condition=models.Q(published_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{number_of(self.order_id)} {self.kind}"

    @property
    def label(self) -> str:
        """Its kind in words for people."""
        return EventKind(self.kind).label
