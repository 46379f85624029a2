"""What pages and API ask of a product's videos: one query each, for one product; lists of products ask nothing."""

from shop.catalogue.models import Product
from shop.videos.models import Video


def published(product: Product) -> Video | None:
    """The video that shoppers see; a product has one at most."""
    return Video.objects.filter(product=product, state=Video.State.PUBLISHED).first()


def under_way(product: Product) -> Video | None:
    """The newest video that is still being made ready."""
    return Video.objects.filter(product=product, state__in=Video.UNDER_WAY).order_by("-id").first()
