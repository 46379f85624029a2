"""Categories and products. A price is what the shopper pays, tax included, in the currency's minor unit."""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.urls import reverse

from shop.catalogue.folding import Fold, Words

PLACEHOLDERS = 6  # neutral pictures, each in another tint


def placeholder(category_id: int) -> str:
    return f"shop/pictures/placeholder-{category_id % PLACEHOLDERS + 1}.svg"


class Category(models.Model):
    name = models.CharField(max_length=80, unique=True)
    slug = models.SlugField(max_length=80, unique=True)
    position = models.PositiveSmallIntegerField(default=0, help_text="Order in the menu, low first.")

    class Meta:
        ordering = ["position", "name"]
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("category", args=[self.slug])


class Product(models.Model):
    sku = models.CharField("SKU", max_length=40, unique=True)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="products")
    price_minor = models.PositiveBigIntegerField(
        help_text="Gross price in the currency's minor unit (pence, cents)."
    )
    currency = models.CharField(max_length=3)
    tax_rate_bp = models.PositiveIntegerField(
        default=2000, help_text="Tax rate in basis points: 2000 is 20 %. The price includes it."
    )
    picture = models.CharField(max_length=200, blank=True, help_text="Path of a static file; empty for none.")
    active = models.BooleanField(default=True, help_text="Inactive products are neither shown nor sold.")

    filed = models.CharField(
        max_length=32,
        blank=True,
        db_default="",
        editable=False,
        help_text="Digest of the row that a file last had of it.",
    )
    edited_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text="When a person last changed what files say; empty since a file was taken.",
    )

    on_hand: int = 0  # pieces free to sell, filled in by shop.catalogue.queries.with_stock

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(price_minor__gt=0), name="product_price_positive"),
            models.CheckConstraint(
                condition=models.Q(tax_rate_bp__lte=10_000), name="product_tax_at_most_100_percent"
            ),
        ]
        indexes = [
            GinIndex(
                OpClass(Fold("name"), "gin_trgm_ops"),
                OpClass(Fold("sku"), "gin_trgm_ops"),
                name="product_by_letters",
            ),
            GinIndex(Words("name", "description"), name="product_by_words"),
            models.Index(name="product_by_category", fields=["category", "name"]),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.sku})"

    def get_absolute_url(self) -> str:
        return reverse("product", args=[self.sku])

    @property
    def picture_path(self) -> str:
        """Path of a static file: the picture, or a placeholder that all products of a category share."""
        return self.picture or placeholder(self.category_id)
