"""A bug, as whoever is on duty lives through it, on a phone: seen as one failure, tried by a canary, mended, gone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Open
from tests.conftest import RunningStack
from tests.waiting import wait_for

pytestmark = pytest.mark.browser
SKU = "HO-1030"
MEND = "ALTER TABLE orders_stockitem DROP CONSTRAINT IF EXISTS too_narrow"


@pytest.fixture
def bug(stack: RunningStack) -> Iterator[None]:
    """The stock of one article has no room for a reservation."""
    stack.sql(
        f"ALTER TABLE orders_stockitem ADD CONSTRAINT too_narrow CHECK (sku <> '{SKU}' OR reserved = 0) NOT VALID"
    )
    yield
    stack.sql(MEND)


def open_letters(stack: RunningStack) -> int:
    [(count,)] = stack.sql(
        "SELECT count(*) FROM workers_deadletter WHERE message ~ 'too_narrow' AND resolved_at IS NULL"
    )
    return int(count)


def sign_in(page: Page, stack: RunningStack) -> None:
    page.locator("[name=username]").fill("admin")
    page.locator("[name=password]").fill(stack.stack.secrets.admin)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/groups/")


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def canary(page: Page) -> None:
    """Begin one from the page of the failure, and look until it has ended."""
    page.get_by_role("link", name="Canary replay…").click()
    assert fits(page)
    page.get_by_label("Letters a second").fill("100")
    page.get_by_label("Note").fill("so they say")
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_text("so they say").first).to_be_visible()


@pytest.mark.usefixtures("bug")
def test_a_bug_from_the_first_letter_to_the_last(stack: RunningStack, open_page: Open) -> None:
    tokens = [stack.place(sku=SKU)["token"] for _ in range(4)]
    wait_for(lambda: True if open_letters(stack) == 4 else None, "four dead letters")
    page = open_page("/admin/workers/deadletter/groups/", viewport=PHONE)
    sign_in(page, stack)
    assert fits(page)
    page.get_by_role("paragraph").filter(has_text="too_narrow").first.wait_for()
    page.get_by_role("link", name="IntegrityError").first.click()
    failure = page.url
    assert fits(page)

    canary(page)
    wait_for(
        lambda: True if stack.sql("SELECT id FROM workers_replay WHERE state = 'halted'") else None,
        "it to halt",
    )
    page.goto(failure)
    expect(page.get_by_text("Halted: it failed again").first).to_be_visible()
    expect(page.get_by_text("1 of 4 replayed").first).to_be_visible()
    page.get_by_role("table").get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="Its order")).to_be_visible()
    assert fits(page)

    stack.sql(MEND)
    page.goto(failure)
    canary(page)
    for token in tokens:
        stack.ended(token, "completed")
    assert open_letters(stack) == 0
    wait_for(
        lambda: True if stack.sql("SELECT id FROM workers_replay WHERE state = 'done'") else None, "its end"
    )
    page.goto(failure)
    expect(page.get_by_text("4 of 4 replayed")).to_be_visible()
    expect(page.get_by_text("All of them are resolved")).to_be_visible()
