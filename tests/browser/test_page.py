"""The live page in a real browser, while events flow."""

import re

from playwright.sync_api import Browser, Page, expect

DRIFTERS = "#drifters button"


def test_the_page_comes_up_and_moves_while_events_flow(page: Page):
    expect(page.locator("body")).to_have_attribute("data-state", re.compile("running|lagging"))
    expect(page.locator("#charts figure")).to_have_count(8)
    expect(page.locator("#about")).to_contain_text(": cpu")
    events = page.locator("#figures .note").first
    before = events.inner_text()
    expect(events).not_to_have_text(before)
    expect(page.locator("#charts path.line").first).to_have_attribute("d", re.compile("L"))


def test_users_move_on_the_map(page: Page):
    page.locator(DRIFTERS).first.wait_for()
    picture = "document.getElementById('map').toDataURL()"
    before = page.evaluate(picture)
    page.wait_for_function(f"before => {picture} !== before", arg=before)


def test_a_user_is_found_by_keyboard_with_its_window_and_its_path(page: Page):
    user = page.locator(f"{DRIFTERS} .name").first.inner_text()
    page.keyboard.press("/")
    page.keyboard.type(user)
    expect(page.get_by_role("option").first).to_contain_text(user)
    page.keyboard.press("Enter")
    detail = page.locator("#detail")
    expect(detail.get_by_role("heading", name=user)).to_be_visible()
    expect(detail.locator(".window li").first).to_be_visible()
    expect(detail.locator(".facts")).to_contain_text("moves within its last hour")
    page.keyboard.press("Escape")
    expect(detail).to_be_hidden()


def test_an_item_of_a_user_leads_to_similar_items(page: Page):
    page.locator(DRIFTERS).first.click()
    near = page.locator("#detail .near button").first
    item = near.inner_text()
    near.click()
    expect(page.locator("#detail").get_by_role("heading", name=item)).to_be_visible()
    expect(page.locator("#detail .near button").first).not_to_have_text(item)


def test_nothing_is_wider_than_a_phone(browser: Browser, address: str):
    phone = browser.new_page(viewport={"width": 360, "height": 740})
    phone.goto(address)
    phone.locator(DRIFTERS).first.wait_for()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360
    phone.close()


def test_a_page_that_hears_nothing_says_so_and_goes_on_by_itself(browser: Browser, address: str):
    page = browser.new_page()
    page.route("**/live/*", lambda route: route.abort())
    page.goto(address)
    expect(page.locator("#state")).to_have_text("no connection")
    page.unroute("**/live/*")
    expect(page.locator("#state")).not_to_have_text("no connection")
    page.close()


def test_a_worker_that_is_behind_says_how_much_waits(browser: Browser, address_of_one_behind: str):
    page = browser.new_page()
    page.goto(address_of_one_behind)
    expect(page.locator("body")).to_have_attribute("data-state", "lagging")
    expect(page.locator("#explained")).to_have_text(re.compile(r"^[\d,]+ records wait"))
    page.close()
