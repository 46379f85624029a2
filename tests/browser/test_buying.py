"""A guest buys, in every way that guests do."""

import http.client
import re
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import (
    SHOPPER,
    Open,
    fill_checkout,
    place_order,
    put_into_cart,
    step,
)
from tests.conftest import RunningStack

pytestmark = pytest.mark.browser


def press_to(page: Page, key: str, wanted: Locator, most: int = 60) -> None:
    """Press the key until the wanted element has the focus, as somebody without a mouse does."""
    for pressed in range(most + 1):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        if pressed < most:
            page.keyboard.press(key)
    pytest.fail(f"{wanted} cannot be reached with {key}.")


def test_a_guest_buys_with_the_keyboard_alone(open_page: Open) -> None:
    page = open_page("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    add = page.get_by_role("button", name="Add to cart")
    press_to(page, "Tab", add, most=3)
    page.keyboard.press("Enter")
    to_cart = page.get_by_role("link", name="Go to the cart")
    to_cart.wait_for()
    expect(add).to_be_focused()  # the answer takes nobody's place away
    press_to(page, "Tab", to_cart, most=1)
    page.keyboard.press("Enter")

    page.wait_for_url("**/cart/")
    press_to(page, "Tab", page.get_by_role("link", name="Check out"))
    page.keyboard.press("Enter")

    page.wait_for_url("**/checkout/")
    for name, value in {**SHOPPER, "postcode": "75008", "city": "Paris"}.items():
        press_to(page, "Tab", page.locator(f"[name={name}]"))
        page.keyboard.type(value)
    press_to(page, "Tab", page.locator("[name=country]"))
    page.keyboard.type("France")
    press_to(page, "Tab", page.locator("[name=payment]").first)
    page.keyboard.press("Space")
    # The slow card, so that there is time to see the steps come.
    press_to(page, "Tab", page.locator("summary"))
    page.keyboard.press("Enter")
    press_to(page, "Shift+Tab", page.locator("[name=payment]:checked"), most=2)
    press_to(page, "ArrowUp", page.locator("[value=pm_sandbox_slow]"))
    press_to(page, "Tab", page.get_by_role("button", name="Place order"))
    page.keyboard.press("Enter")

    page.wait_for_url("**/orders/*/")
    page.evaluate("window.neverReloaded = true")
    expect(page.locator('.way li.current:has-text("Paid")')).to_be_visible()
    page.wait_for_selector(step(page, "Completed"))
    expect(page.get_by_role("heading", level=1)).to_have_text("All done, it is on its way")
    assert page.evaluate("window.neverReloaded")
    expect(page.locator("[sse-connect]")).to_have_count(0)
    expect(page.get_by_text("France")).to_be_visible()


def test_a_guest_buys_with_javascript_off(open_page: Open) -> None:
    page = open_page("/c/kitchen/", java_script_enabled=False)
    page.locator("main ul a").first.click()
    page.get_by_label("Quantity").fill("2")
    page.get_by_role("button", name="Add to cart").click()
    page.wait_for_url("**/cart/")
    page.get_by_label("Quantity").fill("3")
    page.get_by_role("button", name="Update").click()
    expect(page.get_by_text("3 pieces")).to_be_visible()
    page.get_by_role("link", name="Check out").click()
    place_order(page, "cod")
    expect(page.locator(step(page, "Completed"))).to_be_visible(timeout=15_000)  # it reloads by itself
    expect(page.locator('.way li:has-text("Paid")')).to_have_count(0)


def test_twenty_identical_forms_at_once_make_one_order(open_page: Open, stack: RunningStack) -> None:
    page = open_page("/")
    put_into_cart(page)
    fill_checkout(page)
    body = page.locator("form[action='/checkout/']").evaluate(
        "form => new URLSearchParams(new FormData(form)).toString()"
    )
    cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in page.context.cookies())
    shop = urllib.parse.urlsplit(stack.shop_url)
    together = Barrier(20)

    def send(_: int) -> tuple[int, str]:
        assert shop.hostname
        connection = http.client.HTTPConnection(shop.hostname, shop.port, timeout=20)
        connection.connect()
        together.wait()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookies}
        connection.request("POST", "/checkout/", body, headers)
        response = connection.getresponse()
        connection.close()
        return response.status, response.headers["Location"]

    with ThreadPoolExecutor(20) as senders:
        answers = set(senders.map(send, range(20)))
    [(status, address)] = answers
    assert status == 303
    page.goto(address)
    page.wait_for_selector(step(page, "Completed"))
    number = re.search(r"S-\d+", page.title())
    assert number
    assert [entry["kind"] for entry in stack.ledger("payments", number[0])] == ["captured"]
    for provider in ("mailbox", "sms", "carrier"):
        assert len(stack.ledger(provider, number[0])) == 1


def test_a_declined_card_is_tried_again_without_typing_anything_twice(open_page: Open) -> None:
    page = open_page("/")
    put_into_cart(page)
    place_order(page, "pm_card_chargeDeclined")
    page.get_by_role("button", name="Try another card").click()
    page.wait_for_url("**/checkout/")
    expect(page.locator("[name=name]")).to_have_value(SHOPPER["name"])
    page.locator("[value=pm_card_visa]").check()
    page.get_by_role("button", name="Place order").click()
    page.wait_for_selector(step(page, "Completed"))


def test_the_bank_asks_and_the_order_goes_on(open_page: Open) -> None:
    page = open_page("/")
    put_into_cart(page)
    place_order(page, "pm_card_threeDSecure2Required")
    page.get_by_role("link", name="Go to my bank").click()
    page.wait_for_url("**/3ds/**")
    page.get_by_role("button", name="Confirm the payment").click()
    page.wait_for_selector(step(page, "Completed"))


def test_an_order_is_cancelled_while_it_can_be(open_page: Open) -> None:
    page = open_page("/")
    put_into_cart(page)
    place_order(page, "pm_card_threeDSecure2Required")
    page.get_by_text("Waiting for your bank").wait_for()
    page.get_by_text("Cancel this order").click()
    page.get_by_role("button", name="Yes, cancel order").click()
    page.wait_for_selector('.way li.failed:has-text("Cancelled")')


def test_a_form_with_errors_says_where_they_are(open_page: Open) -> None:
    page = open_page("/", tolerated=("422",))
    put_into_cart(page)
    fill_checkout(page)
    page.locator("[name=phone]").fill("12")
    page.get_by_role("button", name="Place order").click()
    expect(page.get_by_role("alert").filter(has_text="Nothing was ordered yet")).to_be_focused()
    phone = page.locator("[name=phone]")
    expect(phone).to_have_attribute("aria-invalid", "true")
    expect(phone).to_have_accessible_description(re.compile("not a phone number"))
    expect(page.locator("[name=name]")).to_have_value(SHOPPER["name"])
