"""Stock in the admin. What is on hand, reserved and sold follows from orders; a person can only say how many pieces
ever came in, and orders.inventory books the difference in its ledger."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from orders.admin.base import ModelForm, ReadOnlyAdmin, UndeletableAdmin
from orders.admin.columns import briefly, column, link, order_column
from orders.inventory import stock_to
from orders.locking import lock_stock
from orders.models import StockItem, StockMovement
from orders.models.order import id_of

_LEDGER = "admin:orders_stockmovement_changelist"


class StockForm(ModelForm):
    stocked = forms.IntegerField(
        min_value=0,
        max_value=10**12,
        label="Ever stocked",
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="All pieces that ever came in. When ten more arrive, add 10; when two break, subtract 2.",
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
class StockItemAdmin(UndeletableAdmin):
    form = StockForm
    list_display = ("sku", "on_hand", "reserved", "sold", "stocked")
    ordering = ("sku",)
    search_fields = ("sku",)
    search_help_text = "The SKU, or how it begins"
    ledger = column("Ledger", lambda item: link(f"{reverse(_LEDGER)}?q={item.sku}", "Every movement of it"))
    fields = ("sku", "stocked", "on_hand", "reserved", "sold", "ledger")

    def found_by(self, items: QuerySet[StockItem], term: str) -> QuerySet[StockItem]:
        return items.filter(sku__startswith=term.upper())

    def get_readonly_fields(self, _request: HttpRequest, obj: StockItem | None = None) -> tuple[str, ...]:
        return ("on_hand", "reserved", "sold", "ledger", *(("sku",) if obj else ()))

    def get_fields(self, _request: HttpRequest, obj: StockItem | None = None) -> tuple[str, ...]:
        return self.fields if obj else ("sku", "stocked")

    def save_model(self, _request: HttpRequest, obj: StockItem, _form: Any, _change: bool) -> None:
        """Booked, not saved: the row changes together with its ledger, or not at all."""
        stock_to({obj.sku: obj.stocked})


@admin.register(StockMovement)
class StockMovementAdmin(ReadOnlyAdmin):
    list_display = ("moved", "sku", "kind", "quantity", "for_order")
    list_display_links = None
    list_filter = ("kind",)
    ordering = ("-id",)
    search_fields = ("sku",)
    search_help_text = "SKU or order number"

    moved = column("When", lambda movement: briefly(movement.at), ordering="id")
    for_order = order_column

    def found_by(self, movements: QuerySet[StockMovement], term: str) -> QuerySet[StockMovement]:
        if term.upper().startswith("S-") and (order_id := id_of(term)):
            return movements.filter(order_id=order_id)
        return movements.filter(sku=term.upper())
