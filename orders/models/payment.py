"""The charge of an order: the row that its idempotency key is made from, and what the provider answered."""

from django.db import models
from django.db.models.functions import Now

from orders.models.order import Order


class Payment(models.Model):
    class Status(models.TextChoices):
        PENDING = "pending", "Not asked yet"
        REQUESTED = "requested", "Asked, no answer yet"
        REQUIRES_ACTION = "requires_action", "Waiting for the buyer's bank"
        AUTHORISED = "authorised", "Authorised"
        CAPTURED = "captured", "Captured"
        DECLINED = "declined", "Declined"
        VOIDED = "voided", "Voided"
        REFUNDED = "refunded", "Refunded"

    order = models.OneToOneField(Order, on_delete=models.PROTECT, related_name="payment")
    token = models.CharField(
        max_length=255, help_text="The provider's name for the card; never a card number."
    )
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=16, choices=Status.choices, db_default=Status.PENDING)
    key = models.UUIDField(
        db_default=models.Func(function="gen_random_uuid"),
        help_text="What every idempotency key is made from.",
    )
    reference = models.CharField(
        max_length=100, blank=True, db_default="", help_text="The provider's own id."
    )
    action_url = models.URLField(
        max_length=500, blank=True, db_default="", help_text="Where the buyer confirms."
    )
    captured_minor = models.BigIntegerField(db_default=0)
    refunded_minor = models.BigIntegerField(db_default=0)
    outside_minor = models.BigIntegerField(
        db_default=0,
        help_text="Given back another way, because the provider would not: by bank transfer, say.",
    )
    promised_minor = models.BigIntegerField(
        db_default=0, help_text="Refunds of the completed order, those that are still to be made included."
    )
    reason = models.CharField(
        max_length=300, blank=True, db_default="", help_text="Why it was declined or failed."
    )
    failures = models.SmallIntegerField(db_default=0, help_text="Failed tries since the last answer.")
    requested_at = models.DateTimeField(null=True, blank=True, help_text="When the provider was last asked.")
    reported_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Since when the provider's refunds and disputes of it wait to be looked at.",
    )
    hold_until = models.DateTimeField(null=True, blank=True, help_text="Until when the buyer may confirm.")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        permissions = [("view_card_token", "Can see the provider's token of a card")]
        constraints = [
            models.CheckConstraint(condition=models.Q(amount_minor__gt=0), name="payment_amount_positive"),
            models.CheckConstraint(
                condition=models.Q(
                    captured_minor__gte=0,
                    captured_minor__lte=models.F("amount_minor"),
                    refunded_minor__gte=0,
                    refunded_minor__lte=models.F("captured_minor"),
                ),
                name="payment_within_bounds",
            ),
            models.CheckConstraint(
                condition=models.Q(promised_minor__gte=0, promised_minor__lte=models.F("captured_minor")),
                name="payment_promised_within_captured",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    outside_minor__gte=0,
                    outside_minor__lte=models.F("captured_minor") - models.F("refunded_minor"),
                ),
                name="payment_outside_within_captured",
            ),
        ]
        indexes = [models.Index(name="payment_by_reference", fields=["reference"])]

    def __str__(self) -> str:
        return f"{self.order} {self.status}"
