"""A product for videos, staff who may upload them, and a tus client."""

import base64
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.files.storage import storages
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from shop.api import tokens
from shop.catalogue.models import Category, Product
from shop.videos.models import Upload

CHUNK = 64 * 1024


def film(size: int) -> bytes:
    """So many bytes that begin like an MP4 file; no two blocks are the same."""
    head = struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"isom", 512, b"isom", b"mp41")
    rest = bytearray(size - len(head))
    for number, at in enumerate(range(0, len(rest) - 8, 4096)):
        rest[at : at + 8] = number.to_bytes(8, "big")
    return head + bytes(rest)


def encoded(**metadata: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in metadata.items())


@dataclass
class Tus:
    """Django's client with the headers of tus; `location` is where the last announced upload goes."""

    headers: dict[str, str]
    location: str = ""
    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> HttpResponse:
        sent = {"Tus-Resumable": "1.0.0", **self.headers, **headers}
        kind = sent.pop("Content-Type", "application/offset+octet-stream")
        return self.client.generic(  # type: ignore[return-value]
            method, path, body, content_type=kind, headers={**sent, "Content-Type": kind}
        )

    def announce(self, size: int, headers: dict[str, str] | None = None, **metadata: str) -> HttpResponse:
        said = {"sku": "KETTLE", "filename": "kettle.mp4", **metadata}
        sent = {"Upload-Length": str(size), "Upload-Metadata": encoded(**said), **(headers or {})}
        answer = self.ask("POST", "/api/uploads/", b"", **sent)
        self.location = answer.get("Location", "")
        return answer

    def send(self, offset: int, body: bytes, **headers: str) -> HttpResponse:
        return self.ask("PATCH", self.location, body, **{"Upload-Offset": str(offset), **headers})

    def offset(self) -> int:
        answer = self.ask("HEAD", self.location)
        assert answer.status_code == 200, answer.content
        return int(answer["Upload-Offset"])

    def send_all(self, whole: bytes, chunk: int = CHUNK) -> None:
        """Send the rest, from the offset that the server tells."""
        at = self.offset()
        while at < len(whole):
            answer = self.send(at, whole[at : at + chunk])
            assert answer.status_code == 204, answer.content
            at = int(answer["Upload-Offset"])

    @property
    def upload(self) -> Upload:
        return Upload.objects.get(token=self.location.rstrip("/").rpartition("/")[2])


@pytest.fixture(autouse=True)
def _plain_static(settings: Settings) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture
def media(tmp_path: Path, settings: Settings) -> Iterator[Path]:
    """An empty folder for all files of this test."""
    folder = tmp_path / "media"
    settings.MEDIA_ROOT = str(folder)
    assert storages["default"].path("x") == str(folder / "x")
    return folder  # type: ignore[return-value]


@pytest.fixture
def kettle(db: None) -> Product:
    kitchen = Category.objects.create(name="Kitchen", slug="kitchen")
    return Product.objects.create(
        sku="KETTLE", name="Cast iron kettle", category=kitchen, price_minor=4999, currency="GBP"
    )


@pytest.fixture
def token(db: None) -> str:
    """The API token of a superuser."""
    staff = get_user_model().objects.create_superuser("ada", password="irrelevant")
    return tokens.draw(staff)


@pytest.fixture
def tus(kettle: Product, media: Path, token: str) -> Tus:
    """A client that may upload, to a folder."""
    return Tus({"Authorization": f"Token {token}"})


def problem(answer: HttpResponse, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()  # type: ignore[attr-defined]
    assert found["status"] == status
    assert found["detail"]
    return found
