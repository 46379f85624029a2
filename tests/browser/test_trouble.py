"""What a shopper sees while the stack is in trouble: what is wrong, that the cart is safe, and how to go on."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import PATIENCE, PHONE, Open, fill_checkout, put_into_cart
from tests.conftest import RunningStack

pytestmark = pytest.mark.browser

# A browser reports every answer of 503 on its console.
EXPECTED = ("status of 503",)


def check_access(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("away", ["postgres", "web"])
def test_a_page_says_so_and_comes_by_itself(open_page: Open, stack: RunningStack, away: str) -> None:
    page = open_page("/", tolerated=EXPECTED, viewport=PHONE)
    put_into_cart(page)
    with stack.without(away):
        page.goto("/cart/")
        expect(page.get_by_role("heading", level=1)).to_have_text("We are with you in a moment")
        check_access(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.get_by_role("heading", level=1)).to_contain_text("cart", timeout=PATIENCE)
    expect(page.get_by_role("link", name="Check out")).to_be_visible()


def test_an_order_is_sent_again_with_a_button(open_page: Open, stack: RunningStack) -> None:
    page = open_page("/", tolerated=EXPECTED)
    put_into_cart(page)
    fill_checkout(page)
    with stack.without("postgres"):
        page.get_by_role("button", name="Place order").click()
        expect(page.get_by_text("one checkout makes one order")).to_be_visible()
        check_access(page)
        page.get_by_role("button", name="Place the order again").click()
        expect(page.get_by_text("one checkout makes one order")).to_be_visible()
    page.get_by_role("button", name="Place the order again").click()
    page.wait_for_url("**/orders/*/")
    expect(page.get_by_text("ada@example.com").first).to_be_visible()


def test_a_form_that_met_nobody_is_sent_again_by_reloading(open_page: Open, stack: RunningStack) -> None:
    page = open_page("/", tolerated=EXPECTED)
    put_into_cart(page)
    fill_checkout(page)
    with stack.without("web"):
        page.get_by_role("button", name="Place order").click()
        expect(page.get_by_text("one checkout makes one order")).to_be_visible()
        check_access(page)
    page.reload()
    page.wait_for_url("**/orders/*/")


def test_a_part_of_a_page_says_so_in_its_place(open_page: Open, stack: RunningStack) -> None:
    page = open_page("/products/KI-1010/", tolerated=(*EXPECTED, "Response Status Error Code 503"))
    with stack.without("postgres"):
        page.get_by_role("button", name="Add to cart").click()
        expect(page.locator("#trouble")).to_contain_text("Your cart is safe")
    page.get_by_role("button", name="Add to cart").click()
    page.get_by_role("link", name="Go to the cart").wait_for()
    expect(page.locator("#trouble")).to_be_empty()
