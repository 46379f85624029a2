"""Files behind signed links: whoever has the link gets the file for some minutes, and then a way to another link."""

import time
from pathlib import Path
from urllib.parse import quote

import pytest
from django.core import signing
from django.test import Client
from pytest_django import Settings

from orders import files
from shop import downloads
from shop.downloads import LIVES, Download

FOUND = Download("invoices/26/0000/INV-0000017.pdf", "INV-0000017.pdf", "application/pdf", "/orders/abc/")
BY_NGINX = {"X-Sendfile-Type": "X-Accel-Redirect"}


@pytest.fixture(autouse=True)
def kept(settings: Settings, tmp_path: Path) -> bytes:
    settings.MEDIA_ROOT = str(tmp_path)
    files.put(FOUND.name, b"%PDF-1.7 ...")
    return b"%PDF-1.7 ..."


def test_it_is_sent_under_its_name_and_nobody_keeps_it(client: Client, kept: bytes) -> None:
    response = client.get(downloads.link(FOUND))
    assert b"".join(response.streaming_content) == kept  # type: ignore[attr-defined]
    assert response.headers["Content-Type"] == "application/pdf"
    assert response.headers["Content-Disposition"] == 'inline; filename="INV-0000017.pdf"'
    assert "no-store" in response.headers["Cache-Control"]
    assert "sessionid" not in response.cookies


def test_nginx_is_told_which_file_it_is_and_sends_it(client: Client) -> None:
    response = client.get(downloads.link(FOUND), headers=BY_NGINX)
    assert response.headers["X-Accel-Redirect"] == "/_files/" + quote(FOUND.name)
    assert response.content == b""
    assert response.headers["Content-Disposition"] == 'inline; filename="INV-0000017.pdf"'


def test_an_old_link_says_so_and_leads_to_a_new_one(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - LIVES.total_seconds() - 1)
    link = downloads.link(FOUND)
    monkeypatch.undo()
    response = client.get(link)
    assert response.status_code == 410
    text = response.content.decode()
    assert "This link has expired" in text
    assert 'href="/orders/abc/"' in text


def test_a_link_that_somebody_made_up_leads_nowhere(client: Client) -> None:
    link = downloads.link(FOUND)
    for sealed in (
        "nonsense",
        link.split("/")[2] + "A",
        link.split("/")[2].swapcase(),
        signing.TimestampSigner().sign_object(["a"] * 4),
    ):
        assert client.get(f"/files/{sealed}/x.pdf").status_code == 404


def test_a_file_that_was_cleared_away_says_where_to_get_it(client: Client) -> None:
    files.path_of(FOUND.name).unlink()
    response = client.get(downloads.link(FOUND))
    assert response.status_code == 410
    assert "is not here any more" in response.content.decode()
