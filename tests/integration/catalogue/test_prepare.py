"""`manage.py prepare`: everything is there after the first run, and the second finds nothing to do."""

import threading
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command
from django.test import RequestFactory
from pytest_django import Settings

from orders.inventory import on_hand
from shop.catalogue.models import Product
from shop.management.collecting import STAMP, collect_if_changed

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _static_root(settings: Settings, tmp_path: Path) -> None:
    settings.STATIC_ROOT = str(tmp_path / "static")
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


def prepare(**options: bool) -> str:
    said = StringIO()
    call_command("prepare", stdout=said, **options)
    return said.getvalue()


def test_an_empty_shop_is_filled_and_left_alone_afterwards(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setenv("DEMO_ADMIN_PASSWORD", "four-words-of-a-demo")
    first = prepare()
    assert "static files: collected" in first
    assert "demo products" in first
    assert "admin made" in first
    sign_in = RequestFactory().post("/admin/login/")
    assert on_hand(["BF-1000"]) == {"BF-1000": 1000}
    assert (Path(settings.STATIC_ROOT) / Product.objects.get(sku="BF-1000").picture).is_file()
    assert authenticate(sign_in, username="admin", password="four-words-of-a-demo")

    monkeypatch.setenv("DEMO_ADMIN_PASSWORD", "another")
    second = prepare()
    assert "static files: unchanged" in second
    assert "nothing to apply" in second
    assert "kept as it is" in second
    assert "admin is there" in second
    assert authenticate(sign_in, username="admin", password="four-words-of-a-demo")


def test_nobody_gets_a_login_that_was_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEMO_ADMIN_PASSWORD", raising=False)
    assert "none asked for" in prepare()
    assert not get_user_model().objects.exists()


def test_a_real_shop_may_stay_empty() -> None:
    assert "catalogue" not in prepare(no_demo=True)
    assert not Product.objects.exists()


def test_static_files_are_collected_again_when_one_changes_or_collecting_was_cut_short(
    settings: Settings, tmp_path: Path
) -> None:
    source = tmp_path / "more"
    source.mkdir()
    (source / "a.css").write_text("a{}")
    settings.STATICFILES_DIRS = [source]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    assert collect_if_changed()
    assert not collect_if_changed()
    (source / "a.css").write_text("a{color:red}")
    assert collect_if_changed()
    (source / "b.css").write_text("b{}")
    assert collect_if_changed()
    (Path(settings.STATIC_ROOT) / STAMP).unlink()
    assert collect_if_changed()
    assert not collect_if_changed()


def test_of_two_who_collect_at_once_one_waits_and_finds_it_done(settings: Settings) -> None:
    both = threading.Barrier(2)

    def collect() -> bool:
        both.wait()
        return collect_if_changed()

    with ThreadPoolExecutor(2) as threads:
        found = [threads.submit(collect) for _ in range(2)]
    assert sorted(one.result() for one in found) == [False, True]
