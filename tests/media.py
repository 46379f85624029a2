"""Where the files of a test lie: a folder of its own, in place of the shop's."""

from pathlib import Path

from django.core.files.storage import storages
from pytest_django import Settings


def keep_media_in(root: Path, settings: Settings) -> Path:
    """Have all files lie in `root`, those that everybody may fetch in `public` there; returns it."""
    settings.MEDIA_ROOT = str(root)
    settings.STORAGES = {
        **settings.STORAGES,
        "public": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(root / "public"), "base_url": "/media/"},
        },
    }
    assert storages["public"].path("any").startswith(str(root))
    return root
