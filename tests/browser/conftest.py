"""A real browser in front of a running stack. Whatever it complains about fails the test: an error on the console, a
script that throws, something that the Content-Security-Policy refused."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from tests.browser.chromium import opened
from tests.conftest import RunningStack

PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1280, "height": 900}
PATIENCE = 15_000  # milliseconds; a busy machine is no failure

SHOPPER = {
    "email": "ada@example.com",
    "phone": "+44 20 7946 0958",
    "name": "Ada Lovelace",
    "line1": "12 St James's Square",
    "postcode": "SW1Y 4JH",
    "city": "London",
}


PLAIN_PAGES = ["/", "/c/kitchen/", "/search/?q=wood", "/search/?q=zzzz", "/products/BF-1000/", "/cart/"]

Open = Callable[..., Page]


# Not for the session: while Playwright's loop stands in this thread, Django refuses the database to other tests.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened() as browser:
        yield browser


@pytest.fixture
def open_page(browser: Browser, stack: RunningStack) -> Iterator[Open]:
    """`open_page("/cart/", viewport=PHONE)`: a visitor of its own; options as Playwright's new_context has them, and
    `tolerated`, parts of console errors that the test provokes itself."""
    contexts = []
    complaints: list[str] = []

    def _open(path: str = "/", *, tolerated: tuple[str, ...] = (), **options: Any) -> Page:
        options = {"viewport": DESK, "base_url": stack.shop_url.rstrip("/"), **options}
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()

        def complain(text: str) -> None:
            if not any(part in text for part in tolerated):
                complaints.append(f"{page.url}: {text}")

        page.on("pageerror", lambda error: complain(str(error)))
        page.on(
            "console",
            lambda message: (
                complain(f"{message.text} {message.location}") if message.type == "error" else None
            ),
        )
        page.goto(path)
        return page

    yield _open
    for context in contexts:
        context.close()
    assert not complaints, "\n".join(complaints)


def put_into_cart(page: Page, sku: str = "KI-1010") -> None:
    page.goto(f"/products/{sku}/")
    page.get_by_role("button", name="Add to cart").click()
    page.get_by_role("link", name="Go to the cart").wait_for()


def fill_checkout(page: Page, payment: str = "pm_card_visa") -> None:
    page.goto("/checkout/")
    for name, value in SHOPPER.items():
        page.locator(f"[name={name}]").fill(value)
    choice = page.locator(f"[name=payment][value={payment}]")
    if not choice.is_visible():
        page.get_by_text("Cards with more trouble").click()
    choice.check()


def place_order(page: Page, payment: str = "pm_card_visa") -> None:
    """Fill in the checkout and place the order; the browser is on the order's page then."""
    fill_checkout(page, payment)
    page.get_by_role("button", name="Place order").click()
    page.wait_for_url("**/orders/*/")


def step(page: Page, name: str) -> str:
    """A selector of the order's step when it is done."""
    return f'.way li.done:has-text("{name}")'


def every_page(page: Page) -> Iterator[str]:
    """Walk through the shop and an order, and stop at each page."""
    for path in PLAIN_PAGES:
        page.goto(path)
        yield path
    put_into_cart(page)
    for path in ("/cart/", "/checkout/"):
        page.goto(path)
        yield path
    page.get_by_role("button", name="Place order").click()
    page.get_by_role("alert").first.wait_for()
    yield "the checkout with errors"
    place_order(page, "pm_card_threeDSecure2Required")
    page.get_by_text("Waiting for your bank").wait_for()
    yield "an order that waits for the bank"
    page.get_by_text("Cancel this order").click()
    page.get_by_role("button", name="Yes, cancel order").click()
    page.wait_for_selector(".way li.failed")
    yield "a cancelled order"
    put_into_cart(page)
    place_order(page)
    page.wait_for_selector(step(page, "Completed"))
    yield "a completed order"
    page.goto("/nothing-here/")
    yield "the page that is not there"
