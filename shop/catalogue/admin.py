"""The catalogue in the admin: prices in pounds and pence, pictures, stock to read.

Stock is not changed here: it moves with orders and comes in by `import_catalogue`, both through orders.inventory, which
keeps its ledger. No product is deleted, because orders, stock and invoices know products by their SKU; one that is no
longer sold is made inactive.
"""

from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils import timezone
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from orders import money
from orders.admin.base import ModelForm
from orders.admin.columns import column, display
from orders.admin.guarded import GuardedAdmin
from orders.models import StockItem
from orders.skus import SKU, sku_of
from shop.catalogue import pictures, queries
from shop.catalogue.models import Category, Product

THUMBNAIL = {"squared": True, "borderless": True, "width": 40, "height": 40}


class ProductForm(ModelForm):
    """Takes the price as people say it; the catalogue keeps it in minor units."""

    price = forms.DecimalField(min_value=0, max_digits=12, widget=UnfoldAdminDecimalFieldWidget)

    class Meta:
        model = Product
        fields = ("sku", "name", "description", "category", "tax_rate_bp", "picture", "active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.currency = self.instance.currency or settings.CURRENCY
        self.decimals = money.decimals(self.instance.currency)
        self.smallest = Decimal(1).scaleb(-self.decimals)
        price = self.fields["price"]
        price.help_text = f"In {self.instance.currency}, tax included."
        price.widget.attrs["step"] = str(self.smallest)
        if self.instance.pk:
            price.initial = Decimal(self.instance.price_minor).scaleb(-self.decimals)

    def clean_sku(self) -> str:
        sku = sku_of(self.cleaned_data["sku"])
        if not SKU.fullmatch(sku):
            raise forms.ValidationError("Use letters, digits, “.”, “_” and “-”, the first a letter or digit.")
        return sku

    def clean_price(self) -> Decimal:
        price: Decimal = self.cleaned_data["price"]
        if price < self.smallest:
            raise forms.ValidationError(f"The lowest price is {self.smallest}.")
        if price != price.quantize(self.smallest):
            raise forms.ValidationError(f"{self.instance.currency} has {self.decimals} decimals.")
        self.instance.price_minor = int(price.scaleb(self.decimals))
        return price

    def clean_picture(self) -> str:
        picture: str = self.cleaned_data["picture"]
        if picture and not pictures.exists(picture):
            raise forms.ValidationError("There is no such static file; leave it empty for a placeholder.")
        return picture


@admin.register(Product)
class ProductAdmin(GuardedAdmin):
    form = ProductForm
    watched = ("price_minor",)
    list_display = ("shown", "category", "price", "on_hand", "active")
    list_filter = ("category", "active")
    list_select_related = ("category",)
    list_per_page = 50
    search_fields = ("sku", "name")
    search_help_text = "SKU, or words of the name or description"
    readonly_fields = ("stock",)
    change_form_outer_after_template = "shop/desk/video_card.html"
    fieldsets = (
        (None, {"fields": ("sku", "name", "description", "category", "picture", "active")}),
        ("Price and stock", {"fields": ("price", "tax_rate_bp", "stock")}),
    )

    price = column(
        "Price", lambda product: money.format(product.price_minor, product.currency), ordering="price_minor"
    )
    on_hand = column("On hand", lambda product: f"{product.free_to_sell or 0:,}", ordering="free_to_sell")

    @display("Product", ordering="name", header=True)
    def shown(self, product: Product) -> tuple[str, str, str, dict[str, Any]]:
        return product.name, product.sku, "", {"path": static(product.picture_path), **THUMBNAIL}

    @display("Stock")
    def stock(self, product: Product) -> str:
        item = StockItem.objects.filter(sku=product.sku).first()
        if item is None:
            return "Never stocked."
        return (
            f"{item.on_hand:,} on hand, {item.reserved:,} reserved, {item.sold:,} sold; "
            f"{item.stocked:,} ever came in."
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        stock = StockItem.objects.filter(sku=OuterRef("sku")).values("on_hand")
        products: QuerySet[Product] = super().get_queryset(request)
        return products.annotate(free_to_sell=Subquery(stock))

    def get_search_results(
        self, _request: HttpRequest, queryset: QuerySet[Product], search_term: str
    ) -> tuple[QuerySet[Product], bool]:
        return queries.search(queryset, search_term), False

    def get_readonly_fields(self, _request: HttpRequest, obj: Product | None = None) -> tuple[str, ...]:
        # A product that could have been ordered keeps its SKU: orders and stock know it by that.
        return ("sku", "stock") if obj else ("stock",)

    def save_model(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:
        """Notes that a person was here, so that no file undoes it unasked. No file says what is active."""
        if set(form.changed_data) - {"active"}:
            obj.edited_at = timezone.now()
        super().save_model(request, obj, form, change)

    def has_delete_permission(self, _request: HttpRequest, _obj: Product | None = None) -> bool:
        return False


@admin.register(Category)
class CategoryAdmin(GuardedAdmin):
    list_display = ("name", "slug", "position", "products")
    prepopulated_fields = {"slug": ("name",)}
    search_fields = ("name",)

    products = column("Products", lambda category: category.product_count, ordering="product_count")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Category]:
        categories: QuerySet[Category] = super().get_queryset(request)
        return categories.annotate(product_count=Count("products"))
