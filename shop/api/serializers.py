"""What the API answers, as its description tells it. What it takes is in shop.api.bodies.

Amounts are integers of the currency's minor unit everywhere: 1999 with currency GBP is £19.99.
"""

from datetime import UTC
from typing import Any
from urllib.parse import urljoin

from django.conf import settings
from django.templatetags.static import static
from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from orders.cancelling import cancellable
from orders.links import document_url, invoice_url
from orders.models import Document, Order, OrderEvent, Payment, Shipment
from orders.models.successor import successor_of
from orders.money import tax_within
from orders.states import FAILED_STATES, EventKind, OrderStatus, PaymentMethod
from shop.catalogue.models import Product
from shop.videos.models import Video
from shop.videos.playback import playback_of
from shop.videos.progress import progress_of

_MINOR = "In the minor unit of `currency`: 1999 with GBP is £19.99."
_CURRENCY = "ISO 4217 code of the currency that every amount here is in."
# Events that are about our work, not about the order: their details are for staff.
_INTERNAL_EVENTS = (
    EventKind.DEAD_LETTERED,
    EventKind.REPLAYED,
    EventKind.DISPUTED,
    EventKind.DISPUTE_WON,
)


class Moment(serializers.DateTimeField):
    """In UTC, whatever the shop's own time zone: programs read it."""

    timezone = UTC


class Answer(serializers.Serializer[Any]):
    """Something that is only ever sent."""

    # Names that a serializer keeps for input; here they are free for fields.
    label: Any
    errors: Any


class PlacedSerializer(Answer):
    number = serializers.CharField(help_text="The order's number, for people.")
    token = serializers.CharField(help_text="Unguessable; whoever has it may see and cancel the order.")
    status = serializers.ChoiceField(choices=[(OrderStatus.PLACED.value, OrderStatus.PLACED.label)])
    total = serializers.IntegerField(help_text=f"Tax and all included. {_MINOR}")
    currency = serializers.CharField(help_text=_CURRENCY)
    url = serializers.URLField(help_text="The order's live page, for the buyer's browser.")


class LineSerializer(Answer):
    sku = serializers.CharField()
    name = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_price = serializers.IntegerField(source="unit_price_minor", help_text=f"Tax included. {_MINOR}")
    total = serializers.IntegerField(source="total_minor", help_text=f"Tax included. {_MINOR}")
    tax = serializers.SerializerMethodField(help_text=f"The tax within `total`. {_MINOR}")
    tax_rate_bp = serializers.IntegerField(help_text="Tax rate in basis points: 2000 is 20 %.")

    def get_tax(self, line: Any) -> int:
        return tax_within(line.total_minor, line.tax_rate_bp)


class PaymentSerializer(Answer):
    """How the order is paid. For cash on delivery there is only the method."""

    method = serializers.ChoiceField(choices=PaymentMethod.choices)
    status = serializers.ChoiceField(choices=Payment.Status.choices, allow_null=True)
    captured = serializers.IntegerField(help_text=_MINOR)
    refunded = serializers.IntegerField(help_text=_MINOR)
    action_url = serializers.URLField(
        allow_null=True,
        help_text="Where the buyer confirms the payment, while `status` is `requires_action`.",
    )
    reason = serializers.CharField(allow_null=True, help_text="Why the card was declined.")


class ShipmentSerializer(Answer):
    status = serializers.ChoiceField(choices=Shipment.Status.choices)
    carrier = serializers.CharField(allow_blank=True)
    tracking_number = serializers.CharField(allow_blank=True)
    tracking_url = serializers.CharField(allow_blank=True)
    booked_at = Moment(allow_null=True)


class DocumentSerializer(Answer):
    kind = serializers.ChoiceField(choices=Document.Kind.choices)
    number = serializers.CharField()
    issued_at = Moment()
    url = serializers.SerializerMethodField(help_text="The PDF.")

    def get_url(self, document: Document) -> str:
        token = document.order.token
        if document.kind == Document.Kind.INVOICE:
            return invoice_url(token)
        return document_url(token, document.number)


class EventSerializer(Answer):
    kind = serializers.ChoiceField(choices=EventKind.choices)
    label = serializers.CharField(help_text="`kind` in words for people.")
    at = Moment()
    detail = serializers.SerializerMethodField(help_text="A sentence more; often empty.")

    def get_detail(self, event: OrderEvent) -> str:
        return "" if event.kind in _INTERNAL_EVENTS else event.detail


class SuccessorSerializer(Answer):
    number = serializers.CharField()
    token = serializers.CharField()
    url = serializers.URLField(help_text="Its live page, for the buyer's browser.")


class OrderSerializer(Answer):
    number = serializers.CharField()
    token = serializers.CharField()
    status = serializers.ChoiceField(choices=OrderStatus.choices)
    total = serializers.IntegerField(source="total_minor", help_text=f"Tax included. {_MINOR}")
    tax = serializers.IntegerField(source="tax_minor", help_text=f"The tax within `total`. {_MINOR}")
    currency = serializers.CharField(help_text=_CURRENCY)
    url = serializers.URLField(help_text="The order's live page, for the buyer's browser.")
    placed_at = Moment()
    ended_at = Moment(allow_null=True, help_text="When nothing was left to do for it.")
    cancellable = serializers.SerializerMethodField(help_text="Whether it may still be cancelled.")
    lines = LineSerializer(many=True)
    payment = serializers.SerializerMethodField()
    shipment = ShipmentSerializer(allow_null=True, help_text="Null until the parcel is begun.")
    documents = DocumentSerializer(many=True)
    timeline = EventSerializer(many=True, source="events")
    successor = serializers.SerializerMethodField(
        help_text="The order that has taken the place of this one, because it failed and was tried again; mostly null."
    )

    def get_cancellable(self, order: Order) -> bool:
        return cancellable(order)

    @extend_schema_field(SuccessorSerializer(allow_null=True))
    def get_successor(self, order: Order) -> dict[str, Any] | None:
        successor = successor_of(order) if order.status in FAILED_STATES else None
        return SuccessorSerializer(successor).data if successor else None

    @extend_schema_field(PaymentSerializer)
    def get_payment(self, order: Order) -> dict[str, Any]:
        payment: Payment | None = getattr(order, "payment", None)
        status = payment.status if payment else None
        return {
            "method": order.payment_method,
            "status": status,
            "captured": payment.captured_minor if payment else 0,
            "refunded": payment.refunded_minor if payment else 0,
            "action_url": (payment and status == Payment.Status.REQUIRES_ACTION and payment.action_url)
            or None,
            "reason": (payment and status == Payment.Status.DECLINED and payment.reason) or None,
        }


class CategorySerializer(Answer):
    slug = serializers.CharField()
    name = serializers.CharField()


class ProductSerializer(Answer):
    sku = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    category = CategorySerializer()
    price = serializers.IntegerField(source="price_minor", help_text=f"Tax included. {_MINOR}")
    currency = serializers.CharField(help_text=_CURRENCY)
    tax_rate_bp = serializers.IntegerField(help_text="Tax rate in basis points: 2000 is 20 %.")
    available = serializers.IntegerField(
        source="on_hand", help_text="Pieces free to sell at this moment; who orders first gets them."
    )
    picture = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField(help_text="The product's page, for the buyer's browser.")

    def get_picture(self, product: Product) -> str | None:
        return settings.SHOP_URL + static(product.picture) if product.picture else None

    def get_url(self, product: Product) -> str:
        return settings.SHOP_URL + product.get_absolute_url()


class _Absolute(serializers.URLField):
    """A path of the shop with the shop before it; what lies in a bucket has its own address already."""

    def to_representation(self, value: str) -> str:
        return urljoin(settings.SHOP_URL, value)


class ProductCaptionSerializer(Answer):
    language = serializers.CharField(help_text="A language tag, such as en or pt-BR.")
    label = serializers.CharField(help_text="The language as people read it.")
    url = _Absolute(help_text="A WebVTT file.")


class ProductVideoSerializer(Answer):
    """Addresses of one video; a newer one has others, and these go on for an hour then."""

    duration = serializers.FloatField(source="seconds", help_text="Seconds.")
    width = serializers.IntegerField(help_text="Of the picture, in pixels.")
    height = serializers.IntegerField()
    poster = _Absolute(help_text="A still picture (JPEG) to show before it plays.")
    hls = _Absolute(help_text="The HLS playlist, with every size there is.")
    mp4 = _Absolute(help_text="An MP4 in one size, for players without HLS.")
    thumbnails = _Absolute(help_text="Small pictures for seeking: WebVTT that names parts of JPEGs.")
    captions = ProductCaptionSerializer(many=True)


class ProductDetailSerializer(ProductSerializer):
    video = serializers.SerializerMethodField(help_text="The product's video; null when it has none.")

    @extend_schema_field(ProductVideoSerializer(allow_null=True))
    def get_video(self, product: Product) -> dict[str, Any] | None:
        playback = playback_of(product)
        return ProductVideoSerializer(playback).data if playback else None


class ProductPageSerializer(Answer):
    count = serializers.IntegerField(help_text="Products found, on all pages.")
    page = serializers.IntegerField()
    pages = serializers.IntegerField()
    next = serializers.URLField(allow_null=True, help_text="The next page; null on the last.")
    previous = serializers.URLField(allow_null=True)
    results = ProductSerializer(many=True)


class UploadSerializer(Answer):
    filename = serializers.CharField(help_text="As the sender calls it, without what is no part of a name.")
    size = serializers.IntegerField(help_text="Bytes in all, as announced.")
    offset = serializers.IntegerField(help_text="Bytes that have arrived and are kept.")
    expires_at = Moment(
        allow_null=True,
        help_text="When it is thrown away unless more of it arrives; null once it is complete.",
    )
    video = serializers.URLField(
        allow_null=True, help_text="Where to follow the video that it has become; null while it is coming in."
    )


class ProgressSerializer(Answer):
    percent = serializers.IntegerField(min_value=0, max_value=100)
    seconds_left = serializers.FloatField(allow_null=True, help_text="An estimate; null while there is none.")
    words = serializers.CharField(help_text="How it is going, for people.")


class VideoSerializer(Answer):
    token = serializers.UUIDField()
    sku = serializers.CharField(source="product.sku")
    filename = serializers.CharField(help_text="As its sender calls it.")
    size = serializers.IntegerField(help_text="Bytes of the uploaded file.")
    state = serializers.ChoiceField(Video.State.choices)
    progress = serializers.SerializerMethodField()
    uploaded_at = Moment(source="created_at")
    published_at = Moment(allow_null=True)
    url = serializers.SerializerMethodField(help_text="Where to look again.")

    @extend_schema_field(ProgressSerializer)
    def get_progress(self, video: Video) -> dict[str, Any]:
        found = progress_of(video)
        return {"percent": found.percent, "seconds_left": found.estimate, "words": found.words}

    def get_url(self, video: Video) -> str:
        return settings.SHOP_URL + reverse("api_video", args=[video.token])


class ProblemSerializer(Answer):
    """RFC 9457."""

    type = serializers.URLField(
        help_text="The address of a page about this kind of problem, or `about:blank`."
    )
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="What happened this time, in words.")
    instance = serializers.CharField(
        required=False, help_text="The path that was asked for; left out where nobody read as far as that."
    )
    errors = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="Path of a field (`items.0.sku`), or name of a header or parameter, to what is wrong with "
        "it.",
    )
