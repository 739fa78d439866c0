"""The page in a real browser, opened as a file: what moves, what works without JavaScript, and who can read it."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from page.site import NAVIGATION
from page.stages import ALL
from shared.runtime import records
from tools.scenarios import TOOLS

VIEWS = [*(f"{view}.html" for view in NAVIGATION), "scenarios/d1.html"]
STAGES = (*records.STAGES, ALL)


@pytest.fixture(autouse=True)
def wide(browser: Page) -> None:
    browser.set_viewport_size({"width": 1440, "height": 900})


def open_page(browser: Page, folder: Path, address: str) -> None:
    browser.goto("about:blank")  # else an address that differs in its anchor only would not load the page anew
    browser.goto(f"{folder.as_uri()}/{address}")


def stages_shown(browser: Page) -> list[str]:
    shown: list[str] = browser.locator("section.stage:visible").evaluate_all("all => all.map(each => each.id)")
    return shown


def panes_shown(browser: Page) -> list[str]:
    shown: list[str] = browser.locator(".pane:visible").evaluate_all("all => all.map(each => each.ariaLabel)")
    return shown


def test_no_request_leaves_the_folder_and_nothing_goes_wrong(browser: Page, folder: Path) -> None:
    asked, wrong = list[str](), list[str]()
    browser.on("request", lambda request: asked.append(request.url))
    browser.on("console", lambda message: wrong.append(message.text))
    browser.on("pageerror", lambda error: wrong.append(str(error)))
    for view in VIEWS:
        open_page(browser, folder, view)
    outside = [url for url in asked if not url.startswith((folder.as_uri(), "data:"))]
    assert len(asked) > len(VIEWS)
    assert outside == []
    assert wrong == []


def test_the_switch_moves_all_three_panes(browser: Page, folder: Path) -> None:
    open_page(browser, folder, "stages.html#train")
    assert stages_shown(browser) == ["train"]
    assert panes_shown(browser) == ["train in Airflow", "train in Prefect", "train in Dagster"]
    browser.get_by_role("navigation", name="Stages").get_by_role("link", name="deploy").click()
    expect(browser).to_have_url(f"{folder.as_uri()}/stages.html#deploy")
    assert panes_shown(browser) == ["deploy in Airflow", "deploy in Prefect", "deploy in Dagster"]
    browser.go_back()
    expect(browser.locator("#train")).to_be_visible()
    assert stages_shown(browser) == ["train"]


def test_on_a_narrow_screen_the_panes_are_tabs(browser: Page, folder: Path) -> None:
    browser.set_viewport_size({"width": 390, "height": 800})
    open_page(browser, folder, "stages.html#train")
    assert panes_shown(browser) == ["train in Airflow"]
    browser.get_by_role("button", name="Dagster").click()
    assert panes_shown(browser) == ["train in Dagster"]
    browser.get_by_role("navigation", name="Stages").get_by_role("link", name="deploy").click()
    expect(browser.locator("#deploy")).to_be_visible()
    assert panes_shown(browser) == ["deploy in Dagster"]
    for view in VIEWS:
        open_page(browser, folder, view)
        assert browser.evaluate("document.documentElement.scrollWidth") == 390, view


@pytest.mark.parametrize("width", [390, 1024])
def test_a_chart_fits_the_screen(browser: Page, folder: Path, width: int) -> None:
    browser.set_viewport_size({"width": width, "height": 800})
    open_page(browser, folder, "cost.html")
    charts = browser.locator(".chart")
    shown = charts.locator("svg:visible")
    assert shown.count() == charts.count() > 0
    assert all(chart.evaluate("svg => svg.clientWidth == svg.width.baseVal.value") for chart in shown.all())
    assert all(box["x"] + box["width"] <= width for box in (chart.bounding_box() for chart in shown.all()) if box)


def test_a_pane_has_room_for_60_characters(browser: Page, folder: Path) -> None:
    open_page(browser, folder, "stages.html")
    room = """line => {
        const style = getComputedStyle(line), probe = document.createElement("span");
        probe.textContent = "x".repeat(60);
        probe.style = "display: inline-block; white-space: pre; text-indent: 0";
        line.append(probe);
        return [line.clientWidth - parseFloat(style.getPropertyValue("padding-right")), probe.offsetWidth];
    }"""
    line = browser.locator(".pane .line").first
    width, sixty = line.evaluate(room)
    assert 400 < sixty < width - 20  # 20 pixels for the line's number


def test_without_javascript_all_is_there(browser: Page, folder: Path) -> None:
    assert browser.context.browser
    context = browser.context.browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{folder.as_uri()}/stages.html#train")
    assert page.locator("section.stage:visible").count() == len(STAGES)
    assert page.locator(".pane:visible").count() == len(STAGES) * len(TOOLS)
    page.locator("nav.stages a", has_text="deploy").click()
    expect(page.locator("#deploy")).to_be_in_viewport()
    assert not page.get_by_role("search").is_visible()
    context.close()


def test_search_finds_and_leads_there_by_the_keyboard_alone(browser: Page, folder: Path) -> None:
    open_page(browser, folder, "scenarios/d1.html")
    browser.get_by_role("searchbox").focus()
    browser.keyboard.type("hung task")
    expect(browser.locator("#found a").first).to_contain_text("R4 Hung task")
    browser.keyboard.press("ArrowDown")
    browser.keyboard.press("Enter")
    expect(browser.get_by_role("heading", level=1)).to_have_text("R4 Hung task")
    browser.get_by_role("searchbox").fill("leaderboard")  # only in the reason why O7 is asked
    expect(browser.locator("#found")).to_contain_text("O7")
    browser.get_by_role("searchbox").fill("no such word anywhere")
    expect(browser.locator("#found")).to_have_text("Nothing found.")
    browser.keyboard.press("Escape")
    expect(browser.locator("#found")).to_be_hidden()


def test_the_tab_key_reaches_the_content_first_and_every_stage(browser: Page, folder: Path) -> None:
    open_page(browser, folder, "stages.html")
    browser.keyboard.press("Tab")
    expect(browser.locator(":focus")).to_have_text("Skip to the content")
    browser.keyboard.press("Enter")
    browser.keyboard.press("Tab")
    expect(browser.locator(":focus")).to_have_text(STAGES[0])
    browser.keyboard.press("Tab")
    browser.keyboard.press("Enter")
    expect(browser.locator(f"#{STAGES[1]}")).to_be_visible()
    assert stages_shown(browser) == [STAGES[1]]


def test_dark_and_light_follow_the_system_until_one_chooses(browser: Page, folder: Path) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    browser.emulate_media(color_scheme="light")
    open_page(browser, folder, "index.html")
    light = browser.evaluate(ground)
    browser.emulate_media(color_scheme="dark")
    dark = browser.evaluate(ground)
    assert dark != light
    browser.get_by_role("button", name="Light").click()
    assert browser.evaluate(ground) == light
    open_page(browser, folder, "scenarios/r4.html")
    assert browser.evaluate(ground) == light
    browser.get_by_role("button", name="Dark").click()
    assert browser.evaluate(ground) == dark
    browser.evaluate("localStorage.clear()")


def test_print_shows_all_stages_and_no_navigation(browser: Page, folder: Path) -> None:
    open_page(browser, folder, "stages.html#train")
    browser.emulate_media(media="print")
    assert len(stages_shown(browser)) == len(STAGES)
    assert len(panes_shown(browser)) == len(STAGES) * len(TOOLS)
    assert not browser.locator("nav.stages").is_visible()
    browser.emulate_media(media="screen")


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing(browser: Page, folder: Path, view: str) -> None:
    browser.emulate_media(color_scheme="light")
    open_page(browser, folder, view)
    found = Axe().run(browser)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_enough_contrast_in_the_dark_too(browser: Page, folder: Path, view: str) -> None:
    browser.emulate_media(color_scheme="dark")
    open_page(browser, folder, view)
    found = Axe().run(browser, options={"runOnly": ["color-contrast"]})
    assert found.response["passes"]
    assert found.violations_count == 0, found.generate_report()
