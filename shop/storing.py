"""Where files lie, as the setting STORAGES says it: a folder on this machine, or a bucket of an object storage.

There are two storages, and they decide who may see a file: "default" is private (uploads, sources of videos), "public"
is for everybody (what the page of a product shows). nginx serves the public folder. In a bucket they are the folders
`private` and `public`, and whoever runs the bucket lets the world read the second one alone.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

_S3 = "storages.backends.s3.S3Storage"
_MEMORY = (
    8 * 1024 * 1024
)  # bytes of a file that are held in memory when it is read; the rest lies on the disk


def storages(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The storages "default" and "public", from the settings MEDIA_…."""
    if not settings["MEDIA_BUCKET"]:
        files = "django.core.files.storage.FileSystemStorage"
        folder = {"location": f"{settings['MEDIA_ROOT']}/public", "base_url": settings["MEDIA_URL"]}
        return {
            "default": {"BACKEND": files},  # MEDIA_ROOT: no server hands it out
            "public": {"BACKEND": files, "OPTIONS": folder},
        }
    bucket = {
        "bucket_name": settings["MEDIA_BUCKET"],
        "endpoint_url": settings["MEDIA_ENDPOINT"] or None,
        "region_name": settings["MEDIA_REGION"] or None,
        "access_key": settings["MEDIA_ACCESS_KEY"] or None,
        "secret_key": settings["MEDIA_SECRET_KEY"] or None,
        "max_memory_size": _MEMORY,
        "file_overwrite": True,  # names are ours, and writing one again writes the same
    }
    # Without a signature: a playlist names its segments by their plain names.
    address = urlsplit(settings["MEDIA_PUBLIC_URL"])
    public = {"url_protocol": f"{address.scheme}:", "custom_domain": f"{address.netloc}{address.path}"}
    return {
        "default": {"BACKEND": _S3, "OPTIONS": {**bucket, "location": "private"}},
        "public": {"BACKEND": _S3, "OPTIONS": {**bucket, **public, "location": "public"}},
    }
