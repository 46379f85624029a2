"""Where files lie, as Django's setting STORAGES says it: a folder on this machine, or a bucket of an object storage.

Two storages, and what is in which decides who may see it: "default" is private (uploads, sources of videos), "public"
is for everybody (what the product's page shows). In a folder nginx hands out the public one; in a bucket they are two
folders of it, `private` and `public`, and whoever runs the bucket lets the world read the second one alone.
"""

from typing import Any
from urllib.parse import urlsplit

from shop.environment import Environment

_S3 = "storages.backends.s3.S3Storage"
_MEMORY = (
    8 * 1024 * 1024
)  # bytes of a file that are held in memory when it is read; the rest lies on the disk


def storages(environment: Environment, media_url: str) -> dict[str, dict[str, Any]]:
    """The storages "default" and "public"."""
    if not environment.media_bucket:
        files = "django.core.files.storage.FileSystemStorage"
        public_folder = {"location": f"{environment.media_root}/public", "base_url": media_url}
        return {
            "default": {"BACKEND": files},  # MEDIA_ROOT: no server hands it out
            "public": {"BACKEND": files, "OPTIONS": public_folder},
        }
    bucket = {
        "bucket_name": environment.media_bucket,
        "endpoint_url": environment.media_endpoint or None,
        "region_name": environment.media_region or None,
        "access_key": environment.media_access_key or None,
        "secret_key": environment.media_secret_key or None,
        "max_memory_size": _MEMORY,
        "file_overwrite": True,  # names are ours, and writing one again writes the same
    }
    # Without a signature: a playlist names its segments by their plain names.
    address = urlsplit(environment.media_public_url)
    public = {
        "url_protocol": f"{address.scheme}:",
        "custom_domain": f"{address.netloc}{address.path}".rstrip("/"),
    }
    return {
        "default": {"BACKEND": _S3, "OPTIONS": {**bucket, "location": "private"}},
        "public": {"BACKEND": _S3, "OPTIONS": {**bucket, **public, "location": "public"}},
    }
