"""A video is uploaded at the desk: paused, gone on with, gone on with after a reload, refused; and it looks well."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESK, PHONE, Open
from tests.conftest import RunningStack
from tests.integration.videos.conftest import film

pytestmark = pytest.mark.browser
SKU = "KI-1020"
SIZE = 40 * 1024 * 1024  # three pieces
MINUTE = 60_000  # milliseconds; a busy machine is no failure
LINE = 8 * 1024 * 1024  # bytes a second: slow enough to press a button in between


@pytest.fixture
def running(stack: RunningStack) -> Iterator[RunningStack]:
    """Nobody takes up what arrives, and nothing is left of it."""
    with stack.without("relay"):
        yield stack
        stack.sql("DELETE FROM videos_video")
        stack.sql("DELETE FROM videos_upload")
        stack.sql("DELETE FROM videos_caption")


@pytest.fixture
def kettle(tmp_path: Path) -> Path:
    path = tmp_path / "kettle.mp4"
    path.write_bytes(film(SIZE))
    return path


def product_page(open_page: Open, running: RunningStack, *tolerated: str, **options: object) -> Page:
    [(product,)] = running.sql("SELECT id FROM catalogue_product WHERE sku = %s", SKU)
    page = open_page(f"/admin/catalogue/product/{product}/change/", tolerated=tolerated, **options)
    page.locator("[name=username]").fill("admin")
    page.locator("[name=password]").fill(running.stack.secrets.admin)
    page.get_by_role("button", name="Log in").click()
    page.locator("#video").wait_for()
    return page


def slow_down(page: Page) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 5, "downloadThroughput": -1, "uploadThroughput": LINE},
    )


def arrived(running: RunningStack) -> int:
    """Bytes of the one upload that are kept."""
    rows = running.sql('SELECT "offset" FROM videos_upload')
    return int(rows[0][0]) if rows else 0


def wait_until(page: Page, percent: int) -> None:
    page.wait_for_function(
        "least => parseInt(document.querySelector('[data-percent]').textContent) >= least",
        arg=percent,
        timeout=MINUTE,
    )


def test_paused_and_gone_on_with_after_a_reload(open_page: Open, running: RunningStack, kettle: Path) -> None:
    page = product_page(open_page, running)
    slow_down(page)
    page.set_input_files("#video-file", kettle)
    wait_until(page, 45)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("[data-words]")).to_contain_text("Paused.", timeout=MINUTE)
    assert arrived(running) == 16 * 1024 * 1024

    page.get_by_role("button", name="Resume").click()
    wait_until(page, 60)
    page.get_by_role("button", name="Pause").click()

    page.reload()
    expect(page.locator("[data-coming]")).to_contain_text("kettle.mp4", timeout=MINUTE)
    began = []
    page.on(
        "request",
        lambda request: began.append(request.headers["upload-offset"]) if request.method == "PATCH" else None,
    )
    page.set_input_files("#video-file", kettle)
    expect(page.locator("[data-video]")).to_contain_text("Uploaded, processing", timeout=MINUTE)
    assert int(began[0]) >= 16 * 1024 * 1024
    [(source, size)] = running.sql("SELECT source, size FROM videos_video")
    kept = (running.stack.layout.media / source).read_bytes()
    assert (size, hashlib.sha256(kept).digest()) == (SIZE, hashlib.sha256(kettle.read_bytes()).digest())
    # The next one is for another upload, also of the same file.
    expect(page.get_by_text("Choose a video")).to_be_visible(timeout=MINUTE)

    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("[data-video]")).to_contain_text("Cancelled by admin.", timeout=MINUTE)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("[data-video]")).to_contain_text("Uploaded, processing", timeout=MINUTE)


def test_what_is_no_video_is_said_at_once(open_page: Open, running: RunningStack, tmp_path: Path) -> None:
    page = product_page(open_page, running, "415")
    for name, content, said in (
        ("notes.txt", b"milk", "“notes.txt” is no video."),
        ("script.mp4", b"#!/bin/sh\n" * 1000, "“script.mp4” does not hold a video, whatever its name says."),
    ):
        (tmp_path / name).write_bytes(content)
        page.set_input_files("#video-file", tmp_path / name)
        expect(page.locator("[data-problem]")).to_contain_text(said, timeout=MINUTE)
        expect(page.get_by_text("Choose a video")).to_be_visible(timeout=MINUTE)
    assert running.sql("SELECT count(*) FROM videos_upload") == [(0,)]


def test_discarded(open_page: Open, running: RunningStack, kettle: Path) -> None:
    page = product_page(open_page, running)
    slow_down(page)
    page.set_input_files("#video-file", kettle)
    wait_until(page, 45)
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_text("Choose a video")).to_be_visible(timeout=MINUTE)
    expect(page.locator("#videos")).to_contain_text("This product has no video.", timeout=MINUTE)
    assert arrived(running) == 0


def test_signed_out_in_the_middle(open_page: Open, running: RunningStack, kettle: Path) -> None:
    """Nothing is lost: after signing in again in another tab it goes on."""
    page = product_page(open_page, running, "401", "403")
    slow_down(page)
    page.set_input_files("#video-file", kettle)
    wait_until(page, 45)
    page.get_by_role("button", name="Pause").click()
    session = next(one for one in page.context.cookies() if one["name"] == "sessionid")
    page.context.clear_cookies(name="sessionid")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("[data-problem]")).to_contain_text("You are signed out.", timeout=MINUTE)
    before = arrived(running)
    page.context.add_cookies([session])  # type: ignore[list-item]
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("[data-video]")).to_contain_text("Uploaded, processing", timeout=MINUTE)
    assert before >= 16 * 1024 * 1024


# Colours do not hang on the width, nor places on the colours: two of the four say it all.
@pytest.mark.parametrize(
    ("viewport", "scheme"), [(DESK, "light"), (PHONE, "dark")], ids=["desk-light", "phone-dark"]
)
def test_the_card_is_there_for_everybody(
    open_page: Open, running: RunningStack, kettle: Path, scheme: str, viewport: object
) -> None:
    """As far as axe can tell, with everything on it that can be on it; and it fits."""
    page = product_page(open_page, running, color_scheme=scheme, viewport=viewport, reduced_motion="reduce")
    page.set_input_files("#video-file", kettle)
    expect(page.locator("[data-video]")).to_contain_text("Uploaded, processing", timeout=MINUTE)
    slow_down(page)
    page.set_input_files("#video-file", kettle)
    wait_until(page, 45)
    page.get_by_role("button", name="Pause").click()
    found = Axe().run(page, context="#video")
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
