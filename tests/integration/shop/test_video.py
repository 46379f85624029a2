"""The video on a product's page: what shoppers get, what staff see of a new one, and what it costs the database."""

import re
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, Settings

from shop.catalogue.models import Product
from shop.videos.models import Caption, Video
from shop.videos.playback import published
from tests.integration.shop.test_security import policy
from tests.showing import publish_video

WORDS = "WEBVTT\n\n00:01.000 --> 00:04.000\nIt whistles – at last.\n"


@pytest.fixture
def kettle(products: dict[str, Product]) -> Product:
    return products["KETTLE"]


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_user("ada", is_staff=True))
    return client


def page(client: Client) -> str:
    return client.get("/products/KETTLE/").content.decode()


def coming(product: Product, state: str = "waiting", **fields: Any) -> Video:
    """A video of this product that is not published, and that nobody works on."""
    return Video.objects.create(
        product=product, filename="kettle.mov", size=1, by="ada", state=state, due_at=None, **fields
    )


def test_a_product_without_a_video_loads_nothing_for_one(client: Client, kettle: Product) -> None:
    assert "video" not in page(client)


def test_the_player_works_without_a_script_and_loads_nothing_by_itself(
    client: Client, kettle: Product
) -> None:
    video = publish_video(kettle, duration_ms=65_400, width=1280, height=720)
    Caption.objects.create(product=kettle, language="en", label="English", text=WORDS)
    html = page(client)
    [tag] = re.findall(r"<video[^>]*>", html)
    assert f'src="/media/videos/{video.token}/fallback.mp4"' in tag
    assert f'poster="/media/videos/{video.token}/poster.jpg"' in tag
    assert 'preload="none"' in tag
    assert " controls" in tag
    assert 'width="1280" height="720"' in tag
    assert (
        '<track kind="captions" srclang="en" label="English" src="/products/KETTLE/captions/en.vtt">' in html
    )
    assert f'data-hls="/media/videos/{video.token}/master.m3u8"' in html
    assert "1:05" in html
    assert (
        '<script src="/static/shop/vendor' not in html
    )  # video.js fetches hls.js when somebody wants to watch
    assert "placeholder-" in html  # the picture is there as ever


@pytest.mark.parametrize(
    "state", ["waiting", "encoding", "joining", "replaced", "refused", "failed", "cancelled"]
)
def test_shoppers_see_a_video_only_when_it_is_published(client: Client, kettle: Product, state: str) -> None:
    coming(kettle, state)
    assert published(kettle) is None
    assert "video" not in page(client)


def test_lists_ask_nothing_about_videos(
    client: Client, products: dict[str, Product], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for product in products.values():
        publish_video(product)
    with django_assert_max_num_queries(3):
        client.get(reverse("home"))


def test_a_page_asks_once_for_a_video_and_once_for_its_captions(
    client: Client, kettle: Product, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    page(client)  # the menu is kept from now on; stock is asked for beside the ORM
    with django_assert_num_queries(3):
        page(client)
    publish_video(kettle)
    with django_assert_num_queries(4):
        page(client)


class TestCaptions:
    @pytest.fixture(autouse=True)
    def _caption(self, kettle: Product) -> None:
        Caption.objects.create(product=kettle, language="pt-BR", label="Português", text=WORDS)

    def test_they_are_sent_once_and_then_only_when_they_changed(self, client: Client) -> None:
        first = client.get("/products/KETTLE/captions/pt-BR.vtt")
        assert first["Content-Type"] == "text/vtt; charset=utf-8"
        assert first.content.decode() == WORDS
        again = client.get("/products/KETTLE/captions/pt-BR.vtt", headers={"If-None-Match": first["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        Caption.objects.update(text=WORDS.replace("last", "once"))
        changed = client.get("/products/KETTLE/captions/pt-BR.vtt", headers={"If-None-Match": first["ETag"]})
        assert changed.status_code == 200
        assert changed["ETag"] != first["ETag"]

    @pytest.mark.parametrize(
        "address", ["KETTLE/captions/de.vtt", "MUG/captions/pt-BR.vtt", "NOPE/captions/en.vtt"]
    )
    def test_those_that_are_not_there_are_not_found(self, client: Client, address: str) -> None:
        assert client.get(f"/products/{address}").status_code == 404

    def test_those_of_a_product_that_is_not_on_sale_neither(self, client: Client) -> None:
        Product.objects.update(active=False)
        assert client.get("/products/KETTLE/captions/pt-BR.vtt").status_code == 404


class TestStaff:
    def test_see_how_far_a_new_video_has_come(self, staff: Client, kettle: Product) -> None:
        video = coming(kettle)
        html = page(staff)
        assert "A new video is being made ready" in html
        assert "shoppers see the picture" in html
        assert f'hx-get="/videos/{video.token}/progress/?shows=" hx-trigger="every 2s"' in html
        assert "A new video" not in page(Client())

    def test_and_so_do_not_shoppers_who_guess_its_address(self, client: Client, kettle: Product) -> None:
        video = coming(kettle)
        assert client.get(reverse("video_progress", args=[video.token])).status_code == 404
        client.force_login(User.objects.create_user("eve"))
        assert client.get(reverse("video_progress", args=[video.token])).status_code == 404

    def test_get_the_player_when_it_is_published(self, staff: Client, kettle: Product) -> None:
        video = coming(kettle)
        address = reverse("video_progress", args=[video.token])
        told = staff.get(address).content.decode()
        assert "every 2s" in told
        assert "<video" not in told
        Video.objects.update(state="published", duration_ms=1000, width=640, height=360)
        told = staff.get(address).content.decode()
        assert "every 2s" not in told
        assert '<div id="showcase" hx-swap-oob="true">' in told
        assert f"/media/videos/{video.token}/master.m3u8" in told

    def test_are_not_interrupted_when_they_watch_the_one_before(self, staff: Client, kettle: Product) -> None:
        old = publish_video(kettle)
        new = coming(kettle)
        html = page(staff)
        assert f"/videos/{new.token}/progress/?shows={old.token}" in html
        assert "shoppers see the video of before" in html
        Video.objects.filter(pk=old.pk).update(state="replaced")
        Video.objects.filter(pk=new.pk).update(state="published")
        told = staff.get(
            reverse("video_progress", args=[new.token]), {"shows": str(old.token)}
        ).content.decode()
        assert "<video" not in told
        assert "Show the new one" in told

    def test_learn_why_there_will_be_none(self, staff: Client, kettle: Product) -> None:
        video = coming(kettle, "refused", problem="This is a text and no video.")
        told = staff.get(reverse("video_progress", args=[video.token])).content.decode()
        assert "every 2s" not in told
        assert "Refused: kettle.mov" in told
        assert "This is a text and no video." in told

    def test_no_such_video_is_not_found(self, staff: Client) -> None:
        assert staff.get(reverse("video_progress", args=[uuid.uuid4()])).status_code == 404


class TestPolicy:
    def test_videos_come_from_the_shop_itself(self, client: Client, kettle: Product) -> None:
        publish_video(kettle)
        rules = policy(client.get("/products/KETTLE/"))
        assert rules["media-src"] == "'self' blob:"
        assert rules["connect-src"] == rules["script-src"] == rules["style-src"] == "'self'"
        assert "worker-src" not in rules

    @pytest.fixture
    def bucket(self, settings: Settings) -> None:
        settings.STORAGES = {
            **settings.STORAGES,
            "public": {
                "BACKEND": "django.core.files.storage.FileSystemStorage",
                "OPTIONS": {"base_url": "https://videos.example.com/"},
            },
        }

    def test_or_from_their_bucket_and_nothing_else_does(
        self, client: Client, kettle: Product, bucket: None
    ) -> None:
        video = publish_video(kettle)
        response = client.get("/products/KETTLE/")
        assert f"https://videos.example.com/videos/{video.token}/master.m3u8" in response.content.decode()
        rules = policy(response)
        assert rules["media-src"] == "'self' blob: https://videos.example.com"
        assert rules["connect-src"] == "'self' https://videos.example.com"
        assert rules["img-src"] == "'self' data: https://videos.example.com"
        assert rules["script-src"] == rules["style-src"] == "'self'"
