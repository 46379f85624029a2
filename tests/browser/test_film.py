"""The whole way of a video: sent at the desk, made by the pool, watched by a shopper."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.test_upload import SKU, product_page
from tests.browser.test_video import plays
from tests.conftest import RunningStack
from tests.filming import clip

pytestmark = pytest.mark.browser

SECONDS = 6
TWO_MINUTES = 120_000  # milliseconds, on a busy machine


@pytest.fixture
def running(stack: RunningStack) -> Iterator[RunningStack]:
    """Without a video again afterwards, whatever came of it."""
    yield stack
    stack.sql("DELETE FROM videos_segment")
    stack.sql("DELETE FROM videos_video")


def test_what_staff_send_shoppers_watch(open_page: Open, running: RunningStack, tmp_path: Path) -> None:
    film = clip(tmp_path / "film.mp4", SECONDS, size="854x480")
    desk = product_page(open_page, running)
    desk.set_input_files("#video-file", film)
    expect(desk.locator("[data-video]")).to_contain_text("Published", timeout=TWO_MINUTES)

    page = open_page(f"/products/{SKU}/")
    page.get_by_role("button", name="Play the video, 0:06").click()
    plays(page)
    # What has ended keeps its last picture, whatever is chosen; on a busy machine the choice may come later than that.
    page.evaluate("() => { document.querySelector('video').loop = true; }")
    quality = page.get_by_label("Quality")
    assert quality.locator("option").all_text_contents()[1:] == ["480p", "240p"]
    for label, height in (("240p", 240), ("480p", 480)):
        quality.select_option(label=label)
        page.wait_for_function(
            "height => document.querySelector('video').videoHeight === height",
            arg=height,
            timeout=TWO_MINUTES,
        )
    page.wait_for_function(
        "end => document.querySelector('video').currentTime > end", arg=SECONDS - 1, timeout=TWO_MINUTES
    )
