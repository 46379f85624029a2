"""What a SKU looks like, wherever one comes in."""

import re

# A SKU is part of its page's path, so it has only characters that need no quoting there.
SKU = re.compile(r"[A-Z0-9][A-Z0-9._-]{0,39}")
NO_SKU = 'is no SKU: 1 to 40 of A-Z, 0-9, ".", "_", "-", the first a letter or digit'


def sku_of(text: str) -> str:
    """The normal form of a SKU or stock code: capitals, no outer spaces, single inner spaces."""
    return " ".join(text.split()).upper()
