"""The video card on a product's page in the admin, and the list of all videos."""

import re
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from shop.api import tokens
from shop.catalogue.models import Product
from shop.videos import uploads
from shop.videos.models import Caption, Upload, Video
from shop.videos.uploads import Announcement
from tests.integration.videos.conftest import CHUNK

VTT = b"WEBVTT\n\n00:01.000 --> 00:04.000\nIt whistles.\n"


@pytest.fixture
def page(kettle: Product) -> str:
    return reverse("admin:catalogue_product_change", args=[kettle.pk])


def video(kettle: Product, state: str = "waiting", **more: object) -> Video:
    return Video.objects.create(
        product=kettle,
        filename="kettle.mp4",
        source="videos/x/source",
        size=5_000_000,
        by="ada",
        state=state,
        **more,
    )


def text(answer: object) -> str:
    """What can be read of a page."""
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())  # type: ignore[attr-defined]


def test_the_page_has_what_the_script_needs(admin_client: Client, page: str) -> None:
    found = admin_client.get(page).content.decode()
    assert 'data-endpoint="/api/uploads/"' in found
    assert 'data-sku="KETTLE"' in found
    assert f'data-max="{20 * 1024**3}"' in found
    assert "This product has no video." in found
    assert 'hx-trigger="every 20s, look"' in found
    # A product that is not there yet has no video.
    assert "data-endpoint" not in admin_client.get(reverse("admin:catalogue_product_add")).content.decode()


def test_what_comes_in_is_told_and_what_has_stopped(
    admin_client: Client, kettle: Product, media: Path
) -> None:
    upload = uploads.announce(Announcement("KETTLE", "kettle.mp4", 4 * CHUNK), by="ada")
    Upload.objects.update(offset=CHUNK, expires_at=timezone.now() + uploads.KEPT)
    card = reverse("admin:videos_video_standing", args=[kettle.pk])
    answer = admin_client.get(card)
    assert "Coming in kettle.mp4 25 %" in text(answer)
    assert 'hx-trigger="every 2s, look"' in answer.content.decode()
    Upload.objects.update(expires_at=timezone.now() + uploads.KEPT / 2)
    answer = admin_client.get(card)
    assert "Choose the same file once more to go on" in text(answer)
    assert 'hx-trigger="every 20s, look"' in answer.content.decode()
    discard = reverse("admin:videos_upload_discard", args=[upload.token])
    assert admin_client.get(discard).status_code == 405
    assert "This product has no video." in text(admin_client.post(discard, headers={"HX-Request": "true"}))
    assert not Upload.objects.exists()


def test_a_video_is_cancelled_and_tried_again(admin_client: Client, kettle: Product, page: str) -> None:
    made = video(kettle)
    assert "Cancel" in text(admin_client.get(reverse("admin:videos_video_standing", args=[kettle.pk])))
    cancel = reverse("admin:videos_video_cancel", args=[made.pk])
    answer = admin_client.post(cancel, headers={"HX-Request": "true"})
    assert "Cancelled by admin." in text(answer)
    assert "Try again" in text(answer)
    assert "not being made any more" in text(admin_client.post(cancel, headers={"HX-Request": "true"}))
    # Without htmx: back to the page, with a message.
    retry = reverse("admin:videos_video_retry", args=[made.pk])
    answer = admin_client.post(retry)
    assert (answer.status_code, answer["Location"]) == (302, f"{page}#video")
    assert f"V-{made.pk} is tried again." in text(admin_client.get(page))
    made.refresh_from_db()
    assert made.state == "waiting"


@pytest.mark.parametrize("state", ["published", "replaced"])
def test_what_is_shown_is_removed(admin_client: Client, kettle: Product, page: str, state: str) -> None:
    shown = video(kettle, state, due_at=timezone.now() if state == "replaced" else None)
    address = reverse("admin:videos_video_standing", args=[kettle.pk])
    remove = reverse("admin:videos_video_remove", args=[shown.pk])
    assert remove in admin_client.get(address).content.decode()
    answer = admin_client.post(remove, headers={"HX-Request": "true"}).content.decode()
    assert "Removed by admin." in answer
    assert remove not in answer
    assert f"videos/{shown.token}" not in admin_client.get("/products/KETTLE/").content.decode()
    assert "not shown any more" in text(admin_client.post(remove, headers={"HX-Request": "true"}))
    shown.refresh_from_db()
    assert shown.state == "removed"
    assert shown.due_at  # its files are due to be deleted
    assert shown.due_at <= timezone.now()


def test_published_first_and_old_ones_last(admin_client: Client, kettle: Product) -> None:
    for number in range(6):
        video(kettle, "replaced", problem=f"old-{number}")
    shown = video(kettle, "published", published_at=timezone.now())
    failed = video(kettle, "failed", problem="The encoder ended with 1.")
    answer = admin_client.get(reverse("admin:videos_video_standing", args=[kettle.pk])).content.decode()
    rows = re.findall(r'data-video="(\d+)"', answer)
    assert rows[:2] == [str(shown.pk), str(failed.pk)]
    assert len(rows) == 5
    assert f"/media/videos/{shown.token}/poster.jpg" in answer
    assert "The encoder ended with 1." in answer


def test_captions_are_added_replaced_and_removed(admin_client: Client, kettle: Product, page: str) -> None:
    address = reverse("admin:videos_captions", args=[kettle.pk])

    def put(content: bytes, language: str = "de") -> str:
        file = SimpleUploadedFile("kettle.vtt", content)
        admin_client.post(address, {"language": language, "file": file})
        return text(admin_client.get(page))

    assert "Captions in Deutsch: 1 are in." in put(VTT)
    assert "kettle.vtt: The file is not in UTF-8" in put(VTT.replace(b"It", b"\xff"))
    assert "Choose a language" in put(VTT, "tlh")
    assert "Deutsch de, 1 line" in put(VTT.replace(b"whistles", b"sings"))
    caption = Caption.objects.get()
    assert "sings" in caption.text
    admin_client.post(reverse("admin:videos_uncaption", args=[caption.pk]))
    assert not Caption.objects.exists()
    assert "None yet." in text(admin_client.get(page))


def test_who_may_only_look_finds_no_buttons(kettle: Product, page: str) -> None:
    made = video(kettle)
    user = User.objects.create_user("onlooker", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_product"))
    client = Client()
    client.force_login(user)
    found = client.get(page).content.decode()
    assert "data-upload" not in found
    assert "Cancel" not in found
    for name, what in (("video_cancel", made.pk), ("video_retry", made.pk), ("captions", kettle.pk)):
        assert client.post(reverse(f"admin:videos_{name}", args=[what])).status_code == 403
    client.logout()
    assert client.get(reverse("admin:videos_video_standing", args=[kettle.pk])).status_code == 302


def test_the_list_of_all_videos(admin_client: Client, kettle: Product) -> None:
    made = video(kettle)
    found = text(admin_client.get(reverse("admin:videos_video_changelist"), {"q": "KETTLE"}))
    assert f"V-{made.pk} Cast iron kettle" in found
    assert admin_client.get(reverse("admin:videos_video_change", args=[made.pk])).status_code == 200
    assert admin_client.get(reverse("admin:videos_video_delete", args=[made.pk])).status_code == 403


def test_a_program_gets_its_token_in_the_admin(admin_client: Client, admin_user: User) -> None:
    answer = admin_client.post(reverse("admin:authtoken_tokenproxy_add"), {"user": admin_user.pk})
    assert answer.status_code == 302
    listed = reverse("admin:authtoken_tokenproxy_changelist")
    found = re.search(r"The token of admin is ([0-9a-f]{40})", text(admin_client.get(listed)))
    assert found is not None
    assert admin_user.auth_token.key == tokens.digest(found[1])
    assert found[1] not in text(admin_client.get(listed))
