"""Every page on a phone, and what htmx makes smoother."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Open, every_page, put_into_cart

pytestmark = pytest.mark.browser


def overflow(page: Page) -> Any:
    """How far the page is wider than the window, and the widest of what sticks out."""
    return page.evaluate(
        """() => [document.documentElement.scrollWidth - window.innerWidth, [...document.querySelectorAll("main *")]
            .filter(element => element.getBoundingClientRect().right > window.innerWidth + 1)
            .slice(0, 3).map(element => element.outerHTML.slice(0, 120))]"""
    )


def test_nothing_sticks_out_on_a_phone(open_page: Open) -> None:
    page = open_page("/", viewport=PHONE, is_mobile=True, tolerated=("422", "404"))
    for where in every_page(page):
        assert overflow(page)[0] <= 0, f"{where}: {overflow(page)}"


def test_live_search_finds_while_one_types_and_goes_back_in_one_step(open_page: Open) -> None:
    page = open_page("/")
    page.goto("/search/")
    page.evaluate("window.neverReloaded = true")
    page.get_by_role("searchbox").press_sequentially("kettle")
    expect(page.get_by_role("heading", level=1)).to_have_text("Results for “kettle”")
    expect(page).to_have_url("/search/?q=kettle")
    expect(page).to_have_title("“kettle” · Stampede")
    assert page.evaluate("window.neverReloaded")
    page.get_by_role("link", name="Larkspur Stovetop Kettle").click()
    page.wait_for_url("**/products/**")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Results for “kettle”")
    page.go_back()
    expect(page).to_have_url("/")


def test_the_cart_changes_without_a_reload_and_keeps_the_focus(open_page: Open) -> None:
    page = open_page("/")
    put_into_cart(page, "KI-1010")
    put_into_cart(page, "KI-1020")
    page.goto("/cart/")
    page.evaluate("window.neverReloaded = true")
    quantity = page.get_by_label("Quantity of Larkspur Stovetop Kettle")
    quantity.fill("3")
    quantity.press("Enter")
    expect(page.get_by_text("4 pieces")).to_be_visible()
    expect(page.locator("#cart-count")).to_have_text("4 in it")
    expect(quantity).to_be_focused()
    page.get_by_role("button", name="Remove Larkspur Stovetop Kettle").click()
    expect(page.get_by_text("1 piece", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="Your cart")).to_be_focused()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("Nothing in it yet")).to_be_visible()
    assert page.evaluate("window.neverReloaded")


def test_a_change_that_does_not_arrive_is_said(open_page: Open) -> None:
    page = open_page("/", tolerated=("ERR_FAILED", "htmx:"))
    page.goto("/products/KI-1010/")
    page.route("**/cart/**", lambda route: route.abort())
    page.get_by_role("button", name="Add to cart").click()
    expect(page.get_by_role("alert")).to_have_text("That did not reach us. Please try again in a moment.")


@pytest.mark.parametrize("typed", ["150", "-1", "1.5", ""])
def test_a_quantity_that_cannot_be_is_said_and_the_box_shows_what_is_held(
    open_page: Open, typed: str
) -> None:
    page = open_page("/")
    put_into_cart(page, "KI-1010")
    page.goto("/cart/")
    quantity = page.get_by_label("Quantity of Larkspur Stovetop Kettle")
    quantity.fill(typed)
    quantity.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="nothing was changed")).to_be_visible()
    expect(quantity).to_have_value("1")
    expect(page.get_by_text("1 piece", exact=True)).to_be_visible()
