"""Pictures of products: static files, named by their path."""

from functools import lru_cache

from django.contrib.staticfiles import finders
from django.core.exceptions import SuspiciousFileOperation


@lru_cache(maxsize=4096)
def exists(path: str) -> bool:
    """Whether there is such a static file. With manifest storage a page that names a missing one answers 500, so no
    such name may get into the catalogue."""
    try:
        return finders.find(path) is not None
    except SuspiciousFileOperation:
        return False
