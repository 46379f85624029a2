"""The video on a product's page, really played: by hls.js, by the keyboard, on a phone, and when things go wrong."""

import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Open
from tests.conftest import RunningStack
from tests.showing import SECONDS, SIZES, write_published

pytestmark = pytest.mark.browser

SKU = "KI-1020"
# The captions that can be seen at this moment; a track that is still being loaded has none, which some call null.
WORDS_SHOWN = """() => [...document.querySelector('video').textTracks].filter(track => track.mode === 'showing')
    .flatMap(track => [...(track.activeCues ?? [])]).map(cue => cue.text)"""
_ROW = """
    INSERT INTO videos_video
        (token, product_id, filename, source, size, "by", state, duration_ms, width, height, due_at)
    SELECT %s, id, 'film.mp4', '', 1, 'admin', %s, %s, %s, %s, NULL FROM catalogue_product WHERE sku = %s
"""
_CAPTION = """
    INSERT INTO videos_caption (product_id, language, label, text)
    SELECT id, %s, %s, %s FROM catalogue_product WHERE sku = %s
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a published video, made once."""
    folder = tmp_path_factory.mktemp("published") / "video"
    write_published(folder)
    return folder


def give_video(stack: RunningStack, files: Path, state: str) -> str:
    """A video with its files in place; returns its token."""
    token = str(uuid.uuid4())
    shutil.copytree(files, stack.stack.layout.published / "videos" / token)
    stack.sql(_ROW, token, state, SECONDS * 1000, *SIZES[0], SKU)
    return token


@pytest.fixture
def coming(stack: RunningStack, files: Path) -> Iterator[str]:
    """The token of a product's first video, which is being made ready."""
    yield give_video(stack, files, "encoding")
    stack.sql("DELETE FROM videos_video")


@pytest.fixture
def video(stack: RunningStack, files: Path) -> Iterator[str]:
    """The token of a product's published video, which has captions."""
    yield give_video(stack, files, "published")
    stack.sql("DELETE FROM videos_video")
    stack.sql("DELETE FROM videos_caption")


@pytest.fixture
def captions(stack: RunningStack, video: str) -> None:
    for language, label in (("de", "Deutsch"), ("en", "English")):
        stack.sql(_CAPTION, language, label, f"WEBVTT\n\n00:00.000 --> 00:{SECONDS}.000\n{label}\n", SKU)


def product_page() -> str:
    """The product's page as nobody has seen it yet; nginx keeps what it has shown for some seconds."""
    return f"/products/{SKU}/?seen={uuid.uuid4()}"


def player(page: Page) -> None:
    """Go to the player, and give it the keyboard."""
    page.locator("[data-player]").scroll_into_view_if_needed()
    page.locator("[data-player]").focus()


def plays(page: Page, beyond: float = 0.3) -> None:
    page.wait_for_function(
        "beyond => { const v = document.querySelector('video'); return !v.paused && v.currentTime > beyond; }",
        arg=beyond,
    )


def test_it_loads_nothing_but_the_poster_until_somebody_comes_near(open_page: Open, video: str) -> None:
    page = open_page("/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(product_page(), wait_until="networkidle")
    asked = [address for address in asked if "/media/" in address or "vendor" in address]
    assert [address.rsplit("/", 1)[1] for address in asked] == ["poster.jpg"]
    page.locator("[data-player]").scroll_into_view_if_needed()
    with page.expect_response(lambda response: "vendor/hls" in response.url) as library:
        page.locator("[data-player]").hover()
    assert library.value.ok


def test_it_plays_in_the_quality_that_was_chosen(open_page: Open, video: str) -> None:
    page = open_page(product_page())
    page.get_by_role("button", name="Play the video, 0:12").click()
    plays(page)
    assert page.evaluate("document.querySelector('video').src").startswith("blob:")
    expect(page.locator("[data-now]")).not_to_have_text("0:00")
    quality = page.get_by_label("Quality")
    assert quality.locator("option").all_text_contents()[1:] == ["360p", "180p"]
    for label, height in (("180p", 180), ("360p", 360)):
        quality.select_option(label=label)
        page.wait_for_function("high => document.querySelector('video').videoHeight === high", arg=height)
        expect(page.locator("[data-quality] [data-chosen]")).to_have_text(label)
    quality.select_option(value="-1")
    expect(page.locator("[data-quality] [data-chosen]")).to_have_text("Auto")
    expect(quality.locator("option").first).to_have_text(re.compile(r"Auto \(\d+p\)"))


def test_the_sound_is_the_one_of_the_playlist(open_page: Open, video: str) -> None:
    page = open_page(product_page())
    sound: list[str] = []
    page.on("response", lambda response: sound.append(response.url) if "sound" in response.url else None)
    page.get_by_role("button", name="Play the video").click()
    plays(page)
    assert any(address.endswith(".m4s") for address in sound)
    assert page.evaluate("document.querySelector('video').webkitAudioDecodedByteCount") > 0


def test_the_keyboard_does_it_all(open_page: Open, captions: None) -> None:
    page = open_page(product_page())
    player(page)
    page.keyboard.press("k")
    plays(page)
    page.keyboard.press(" ")
    page.wait_for_function("() => document.querySelector('video').paused")
    # From a place that is known: a video that was just paused may still move on to the frame that it shows.
    page.evaluate("document.querySelector('video').currentTime = 2")
    page.wait_for_function("() => !document.querySelector('video').seeking")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('video').currentTime === 7")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("() => document.querySelector('video').currentTime === 0")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.querySelector('video').volume") == pytest.approx(0.9)
    page.keyboard.press("m")
    assert page.evaluate("document.querySelector('video').muted")
    expect(page.locator("[data-said]")).to_have_text("Muted")
    expect(page.get_by_role("button", name="Unmute")).to_be_visible()
    page.keyboard.press("c")  # in the language of the browser, which is not the first
    page.wait_for_function(f"() => JSON.stringify(({WORDS_SHOWN})()) === '[\"English\"]'")
    page.keyboard.press("c")
    page.wait_for_function(f"() => JSON.stringify(({WORDS_SHOWN})()) === '[]'")
    page.keyboard.press("f")
    page.wait_for_function("() => document.fullscreenElement?.matches('[data-player]')")
    page.keyboard.press("f")
    page.wait_for_function("() => !document.fullscreenElement")


def test_every_control_can_be_reached_and_the_search_keeps_its_letters(
    open_page: Open, captions: None
) -> None:
    page = open_page(product_page())
    page.get_by_role("button", name="Play the video").focus()
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.ariaLabel"))
    assert reached == ["Position", "Play", "Mute", "Volume", "Captions", "Full screen"]
    page.get_by_role("searchbox").press_sequentially("mock")
    expect(page.get_by_role("searchbox")).to_have_value("mock")
    assert not page.evaluate("document.querySelector('video').muted")


def test_captions_stay_when_the_stream_begins_and_are_shown(open_page: Open, captions: None) -> None:
    """hls.js empties the tracks of a page when it begins, unless it is kept from it."""
    page = open_page(product_page())
    page.get_by_label("Captions").select_option(label="English")
    page.wait_for_function("() => document.querySelector('video').textTracks[1].cues?.length === 1")
    page.get_by_role("button", name="Play the video").click()
    plays(page)
    assert page.evaluate(WORDS_SHOWN) == ["English"]
    expect(page.locator("[data-captions] [data-chosen]")).to_have_text("EN")
    page.get_by_label("Captions").select_option(label="Deutsch")
    page.wait_for_function(f"() => JSON.stringify(({WORDS_SHOWN})()) === '[\"Deutsch\"]'")


def test_where_the_pointer_is_a_small_picture_shows(open_page: Open, captions: None) -> None:
    page = open_page(product_page())
    page.get_by_label("Captions").select_option(label="English")
    line = page.get_by_label("Position")
    line.scroll_into_view_if_needed()
    box = line.bounding_box()
    assert box
    with page.expect_response(lambda response: response.url.endswith("thumbnails.vtt")):
        page.mouse.move(box["x"] + box["width"] * 0.1, box["y"] + box["height"] / 2)
    for share, position, at in ((0.6, "0px -90px", "0:07"), (0.3, "-160px 0px", "0:03")):
        page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)
        expect(page.locator("[data-preview] [data-picture]")).to_have_css("background-position", position)
        expect(page.locator("[data-preview] [data-at]")).to_have_text(at)
    page.mouse.move(0, 0)
    expect(page.locator("[data-preview]")).to_be_hidden()
    # A track that were added to the playing video for this would switch on captions in all languages.
    assert page.evaluate("[...document.querySelector('video').textTracks].map(track => track.mode)") == [
        "disabled",
        "showing",
    ]


def test_a_place_chosen_before_it_plays_is_where_it_begins(open_page: Open, video: str) -> None:
    page = open_page(product_page())
    page.get_by_label("Position").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-now]")).to_have_text("0:05")
    page.keyboard.press("k")
    plays(page, 5.1)


def test_when_streaming_fails_the_mp4_goes_on_from_there(open_page: Open, video: str) -> None:
    page = open_page(product_page(), tolerated=("404", "ERR_FAILED"))
    page.route("**/*.m4s", lambda route: route.fulfill(status=404))
    page.get_by_label("Position").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("k")
    plays(page, 5.1)
    assert page.evaluate("document.querySelector('video').currentSrc").endswith("/fallback.mp4")
    expect(page.locator("[data-quality]")).to_be_hidden()


def test_without_media_source_the_mp4_plays(open_page: Open, video: str) -> None:
    page = open_page("/")
    page.add_init_script("delete window.MediaSource; HTMLMediaElement.prototype.canPlayType = () => '';")
    page.goto(product_page())
    page.get_by_role("button", name="Play the video").click()
    plays(page)
    assert page.evaluate("document.querySelector('video').currentSrc").endswith("/fallback.mp4")


def test_without_a_script_the_browsers_own_player_plays(open_page: Open, captions: None) -> None:
    page = open_page(product_page(), java_script_enabled=False)
    own = page.locator("video[controls]")
    expect(own).to_be_visible()
    expect(page.locator("[data-bar]")).to_be_hidden()
    assert (own.get_attribute("src") or "").endswith("/fallback.mp4")


def test_files_that_are_gone_are_said_and_the_next_press_tries_again(
    open_page: Open, stack: RunningStack, video: str
) -> None:
    page = open_page(product_page(), tolerated=("404",))
    folder = stack.stack.layout.published / "videos" / video
    away = folder.with_name("away")
    folder.rename(away)
    page.get_by_role("button", name="Play the video").click()
    expect(page.get_by_role("alert").filter(has_text="does not come through")).to_be_visible(timeout=30_000)
    away.rename(folder)
    page.get_by_role("button", name="Play", exact=True).click()
    plays(page)
    expect(page.get_by_role("alert").filter(has_text="does not come through")).to_be_hidden()


def test_a_new_video_does_not_stop_those_who_watch_the_old_one(
    open_page: Open, stack: RunningStack, files: Path, video: str
) -> None:
    page = open_page(product_page())
    page.get_by_role("button", name="Play the video").click()
    plays(page)
    stack.sql("UPDATE videos_video SET state = 'replaced' WHERE token = %s", video)
    new = give_video(stack, files, "published")
    with page.expect_response(lambda response: f"{video}/180p.m4s" in response.url) as old:
        page.get_by_label("Quality").select_option(label="180p")
    assert old.value.ok
    page.wait_for_function("() => document.querySelector('video').videoHeight === 180")
    page.goto(product_page())
    assert new in (page.locator("video").get_attribute("poster") or "")


def finds_nothing(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_sticks_out_on_a_phone(
    open_page: Open, captions: None, scheme: str
) -> None:
    page = open_page(
        product_page(), viewport=PHONE, is_mobile=True, color_scheme=scheme, reduced_motion="reduce"
    )
    for playing in (False, True):
        if playing:
            page.get_by_role("button", name="Play the video").click()
            plays(page)
            expect(page.locator("[data-quality]")).to_be_visible()
        finds_nothing(page)
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0


def test_staff_see_a_first_video_come_and_can_play_it_at_once(
    open_page: Open, stack: RunningStack, coming: str
) -> None:
    page = open_page("/admin/login/?next=/admin/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(stack.stack.secrets.admin)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/")
    page.goto(product_page())
    expect(page.get_by_text("A new video is being made ready")).to_be_visible()
    expect(page.locator("video")).to_have_count(0)
    finds_nothing(page)
    stack.sql("UPDATE videos_video SET state = 'published' WHERE token = %s", coming)
    expect(page.get_by_text("The new video is published")).to_be_visible()
    page.get_by_role("button", name="Play the video").click()
    plays(page)
