"""Stock in the admin. What is on hand, reserved and sold follows from orders; a person can only say how many pieces
came in or are gone, and orders.inventory books that in its ledger.

It is a difference and no new total, because orders and other people change the total while the form is open."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from orders.admin.base import ModelForm, ReadOnlyAdmin, UndeletableAdmin
from orders.admin.columns import briefly, column, link, order_column
from orders.admin.guarded import GuardedAdmin
from orders.inventory import MOST, change_by
from orders.locking import lock_stock
from orders.models import StockItem, StockMovement
from orders.models.order import id_of
from orders.skus import NO_SKU, SKU, sku_of

_LEDGER = "admin:orders_stockmovement_changelist"


class StockForm(ModelForm):
    came_in = forms.IntegerField(
        min_value=-MOST,
        max_value=MOST,
        label="Came in",
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="How many pieces more there are now. When ten arrive: 10; when two break: -2.",
    )

    class Meta:
        model = StockItem
        fields = ("sku",)

    def clean_sku(self) -> str:
        sku = sku_of(self.cleaned_data["sku"])
        if not SKU.fullmatch(sku):
            raise forms.ValidationError(f"“{sku}” {NO_SKU}.")
        return sku

    def clean_came_in(self) -> int:
        """The row stays locked until this is booked, so nobody reserves what it takes away."""
        pieces: int = self.cleaned_data["came_in"]
        on_hand = lock_stock([self.instance.pk]).get(self.instance.pk, 0)
        if not pieces:
            raise forms.ValidationError("Nothing came in and nothing is gone: there is nothing to book.")
        if on_hand + pieces < 0:
            raise forms.ValidationError(
                f"Only {on_hand:,} are on hand, and what is reserved or sold cannot be taken away."
            )
        return pieces


@admin.register(StockItem)
class StockItemAdmin(GuardedAdmin, UndeletableAdmin):
    form = StockForm
    watched = ("stocked",)  # so that a form that is sent twice is booked once
    list_display = ("sku", "on_hand", "reserved", "sold", "stocked")
    ordering = ("sku",)
    search_fields = ("sku",)
    search_help_text = "The SKU, or how it begins"
    ledger = column("Ledger", lambda item: link(f"{reverse(_LEDGER)}?q={item.sku}", "Every movement of it"))
    fields = ("sku", "came_in", "on_hand", "reserved", "sold", "stocked", "ledger")

    def found_by(self, items: QuerySet[StockItem], term: str) -> QuerySet[StockItem]:
        return items.filter(sku__startswith=term.upper())

    def get_readonly_fields(self, _request: HttpRequest, obj: StockItem | None = None) -> tuple[str, ...]:
        return ("on_hand", "reserved", "sold", "stocked", "ledger", *(("sku",) if obj else ()))

    def get_fields(self, _request: HttpRequest, obj: StockItem | None = None) -> tuple[str, ...]:
        return self.fields if obj else ("sku", "came_in")

    def save_model(self, _request: HttpRequest, obj: StockItem, form: Any, _change: bool) -> None:
        """Booked, not saved: the row changes together with its ledger, or not at all."""
        change_by({obj.sku: form.cleaned_data["came_in"]})


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
