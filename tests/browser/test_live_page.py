"""The order's page stays true when tabs are hidden and streams are lost."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, place_order, put_into_cart, step

pytestmark = pytest.mark.browser

HIDE = """hidden => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


# Keeps hold of the streams that the page opens, so that a test can ask whether they are open still.
KEEP_STREAMS = """
    window.streams = [];
    window.EventSource = class extends EventSource {
        constructor(...options) { super(...options); window.streams.push(this); }
    };
"""
OPEN_STREAMS = "window.streams.filter(stream => stream.readyState !== EventSource.CLOSED).length"


def waiting_for_the_bank(page: Page) -> None:
    put_into_cart(page)
    place_order(page, "pm_card_threeDSecure2Required")
    page.get_by_text("Waiting for your bank").wait_for()


def test_a_hidden_tab_gives_its_stream_back_and_listens_again_later(open_page: Open) -> None:
    page = open_page("/")
    page.add_init_script(KEEP_STREAMS)
    waiting_for_the_bank(page)
    assert page.evaluate(OPEN_STREAMS) == 1
    page.evaluate(HIDE, True)
    assert page.evaluate(OPEN_STREAMS) == 0
    with page.expect_response(lambda response: "/progress/" in response.url):
        page.evaluate(HIDE, False)
    assert page.evaluate(OPEN_STREAMS) == 1


def test_what_happened_while_hidden_is_shown_on_return(open_page: Open) -> None:
    page = open_page("/")
    waiting_for_the_bank(page)
    page.evaluate(HIDE, True)
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_text("Cancel this order").click()
    other.get_by_role("button", name="Yes, cancel order").click()
    other.wait_for_selector(".way li.failed")
    expect(page.locator(".way li.failed")).to_have_count(0)
    page.evaluate(HIDE, False)
    page.wait_for_selector('.way li.failed:has-text("Cancelled")')


def test_the_stream_tells_sooner_than_asking_would(open_page: Open) -> None:
    """Asking now and then is slowed down to once an hour, so only the stream can have told."""
    page = open_page("/")
    page.add_init_script(
        "const soon = window.setTimeout; window.setTimeout = (f, ms) => soon(f, ms >= 5000 ? 3_600_000 : ms);"
    )
    put_into_cart(page)
    place_order(page, "pm_sandbox_slow")
    page.wait_for_selector(step(page, "Completed"))


def test_without_the_stream_it_asks_until_the_end(open_page: Open) -> None:
    page = open_page("/", tolerated=("/live/", "[object Event]"))
    page.route("**/live/**", lambda route: route.abort())
    put_into_cart(page)
    place_order(page, "pm_sandbox_slow")
    page.wait_for_selector(step(page, "Completed"))
    expect(page.locator("[sse-connect]")).to_have_count(0)


def test_a_page_opened_after_the_end_opens_no_stream(open_page: Open) -> None:
    page = open_page("/")
    put_into_cart(page)
    place_order(page)
    page.wait_for_selector(step(page, "Completed"))
    expect(page.locator("[sse-connect]")).to_have_count(0)
    streams: list[str] = []
    page.on("request", lambda request: streams.append(request.url) if "/live/" in request.url else None)
    page.reload(wait_until="networkidle")
    assert streams == []


def test_a_change_is_told_to_those_who_do_not_see_it(open_page: Open) -> None:
    page = open_page("/")
    put_into_cart(page)
    place_order(page, "pm_sandbox_slow")
    expect(page.locator("#told")).to_have_text(
        "All done, it is on its way. Your confirmation is in your inbox."
    )
