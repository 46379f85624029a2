"""Stock at the desk. What is on hand, reserved and sold follows from orders; a person can only say how many
pieces ever came in, and orders.inventory books the difference in its ledger."""

# ruff: noqa: ARG002 (the signatures are Django's)
# Unfold has no types.
# mypy: disable-error-code="misc, untyped-decorator"

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from orders.admin.desk import DeskAdmin, ReadOnlyAdmin, briefly, link_to_order
from orders.inventory import stock_to
from orders.locking import lock_stock
from orders.models import StockItem, StockMovement
from orders.models.order import id_of


class StockForm(forms.ModelForm):  # type: ignore[type-arg]
    stocked = forms.IntegerField(
        min_value=0,
        max_value=10**12,
        label="Ever stocked",
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Every piece that ever came in. Ten more came: add ten. Two broke: take two away.",
    )

    class Meta:
        model = StockItem
        fields = ("sku", "stocked")

    def clean_sku(self) -> str:
        return str(self.cleaned_data["sku"]).strip().upper()

    def clean_stocked(self) -> int:
        """The row stays locked until the level is saved, so nobody reserves what this takes away."""
        level: int = self.cleaned_data["stocked"]
        if self.instance.pk:
            lock_stock([self.instance.pk])
            item = StockItem.objects.get(pk=self.instance.pk)
            if level < item.reserved + item.sold:
                raise forms.ValidationError(
                    f"{item.reserved:,} are reserved and {item.sold:,} sold: it cannot be less than "
                    f"{item.reserved + item.sold:,}."
                )
        return level


@admin.register(StockItem)
class StockItemAdmin(DeskAdmin):
    form = StockForm
    list_display = ("sku", "on_hand", "reserved", "sold", "stocked")
    ordering = ("sku",)
    search_fields = ("sku__startswith",)
    search_help_text = "The SKU, or how it begins"
    fields = ("sku", "stocked", "on_hand", "reserved", "sold", "ledger")

    def get_readonly_fields(self, request: HttpRequest, obj: StockItem | None = None) -> tuple[str, ...]:
        return ("on_hand", "reserved", "sold", "ledger", *(("sku",) if obj else ()))

    def get_fields(self, request: HttpRequest, obj: StockItem | None = None) -> tuple[str, ...]:
        return self.fields if obj else ("sku", "stocked")

    def save_model(self, request: HttpRequest, obj: StockItem, form: Any, change: bool) -> None:
        """Not saved but booked: the row changes together with its ledger, or not at all."""
        stock_to({obj.sku: obj.stocked})

    @display(description="Ledger")
    def ledger(self, item: StockItem) -> str:
        address = reverse("admin:orders_stockmovement_changelist")
        return format_html('<a class="text-link" href="{}?q={}">Every movement of it</a>', address, item.sku)


@admin.register(StockMovement)
class StockMovementAdmin(ReadOnlyAdmin):
    list_display = ("moved", "sku", "kind", "quantity", "for_order")
    list_display_links = None
    list_filter = ("kind",)
    ordering = ("-id",)
    search_fields = ("sku",)
    search_help_text = "SKU or order number"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[StockMovement], search_term: str
    ) -> tuple[QuerySet[StockMovement], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        if term.upper().startswith("S-") and (order_id := id_of(term)):
            return queryset.filter(order_id=order_id), False
        return queryset.filter(sku=term.upper()), False

    @display(description="When", ordering="id")
    def moved(self, movement: StockMovement) -> str:
        return briefly(movement.at)

    @display(description="Order")
    def for_order(self, movement: StockMovement) -> str:
        if movement.order_id is None:
            return "–"
        return link_to_order(movement.order_id)
