"""Prefect's own pages, used as a person does: the form, a run's page, its artifacts, the buttons Cancel and Retry."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from mlflow import MlflowClient
from playwright.sync_api import Page, expect

from shared.runtime import records
from shared.settings import Settings
from tests.conformance.test_conformance import aliases
from tests.faults import Kill
from tests.live.watch import until
from tests.pages.browser import Browser, follow, leave
from tests.pages.ui import ui

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MONTH = "2013-06"
FAMILIES = ["logistic", "tests.shared.families:waiting"]  # the second one waits until the test lets it go on
NAMES = ("dashboard", "flows", "deployments", "work-pools", "work-pools/create", "blocks", "blocks/catalog")
NAMES += ("variables", "automations", "events", "concurrency-limits", "artifacts", "settings")
SECTIONS = tuple(f"/v2/{name}" for name in NAMES)
IN_V1 = ("/runs", "/deployments", "/blocks/catalog", "/settings")  # the old pages, a click away
expect.set_options(timeout=60_000)


class UI(NamedTuple):
    url: str
    home: Path
    kill: Kill
    go: Path

    @property
    def settings(self) -> Settings:
        return Settings(tool="prefect", home=self.home)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Ask Prefect's API; while its database is locked, it answers 503."""
        answer = until(
            lambda: (answer := httpx.post(f"{self.url}/api/{path}", json=body, timeout=60)).status_code < 500 and answer
        )
        return answer.raise_for_status().json()

    def runs(self) -> list[dict[str, Any]]:
        return self.post("flow_runs/filter", {})

    def record(self, page: str, state: str) -> records.RunRecord:
        """The record of the run that the page shows, as soon as the hook at its end, a new process, has written it."""

        def written() -> records.RunRecord | None:
            if not records.path_of("prefect", MONTH, self.home).exists():
                return None
            record = records.read("prefect", MONTH, self.home)
            return record if record.run_id in page and record.state == state else None

        return until(written)

    def deployment(self, name: str) -> dict[str, Any]:
        (found,) = self.post("deployments/filter", {"deployments": {"name": {"any_": [name]}}})
        return found

    def start(self, source: Path, **parameters: Any) -> str:
        """Ask the deployment for a run on the small slice, as its form does; the address of the run's page."""
        deployment = self.deployment("monthly-retraining")
        asked = {"month": MONTH, "source": str(source), "min_rows": 100, **parameters}
        run = self.post(f"deployments/{deployment['id']}/create_flow_run", {"parameters": asked})
        return f"{self.url}/v2/runs/flow-run/{run['id']}"


@pytest.fixture(scope="module")
def shown(prepared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[UI]:
    folder = tmp_path_factory.mktemp("prefect's pages é")
    kill, home, go = Kill(folder), folder / "home", folder / "go"
    shutil.copytree(prepared_home, home)
    with ui("prefect_impl.ui", home, {**kill.env, "TEST_GO": str(go)}) as url:
        yield UI(url, home, kill, go)


@pytest.fixture(scope="module")
def first(shown: UI, tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> str:
    """The page of a run on the default data that was started with the form."""
    with chromium.page(tmp_path_factory.mktemp("first")) as browser:
        open_form(browser, shown.url)
        expect(browser.get_by_text("target month, such as 2013-06")).to_be_visible()
        browser.get_by_role("textbox", name="month").fill(MONTH)
        insist(browser, "/create_flow_run", browser.get_by_role("button", name="Submit").click)
        (run,) = shown.runs()
        address = f"{shown.url}/v2/runs/flow-run/{run['id']}"
        leave(browser)
        shown.record(address, "success")
        browser.goto(address)
        expect_state(browser, "Completed")
        return address


def open_form(browser: Page, url: str) -> None:
    browser.goto(url)
    browser.get_by_role("link", name="Deployments").click()
    browser.get_by_role("link", name="monthly-retraining").click()
    browser.get_by_role("button", name="Run", exact=True).click()
    browser.get_by_role("menuitem", name="Custom run").click()


def insist(browser: Page, asks: str, act: Callable[[], None]) -> None:
    """Do what asks the API so, and again if nothing comes of it.

    Prefect answers 503 while its SQLite is locked; its pages do not try again, and do not tell.
    """

    def answered() -> bool:
        with browser.expect_response(lambda response: asks in response.url, timeout=60_000) as answer:
            act()
        return answer.value.status != 503

    until(answered)


def expect_state(browser: Page, name: str, seconds: float = 200) -> None:
    expect(browser.get_by_text(name, exact=True).first).to_be_visible(timeout=seconds * 1000)


def expect_newest_in_log(browser: Page, text: str) -> None:
    """Only the lines in sight are in the page."""
    browser.get_by_role("combobox", name="log sort order").click()
    browser.get_by_role("option", name="Newest to oldest").click()
    expect(browser.get_by_text(text)).to_be_visible(timeout=200_000)


def cancel(browser: Page) -> None:
    """Choose it from the menu of the run's page, and confirm."""
    browser.locator("button[aria-haspopup=menu]").last.click()
    browser.get_by_role("menuitem", name="Cancel").click()
    browser.get_by_role("button", name="Cancel Flow Run").click()


def running_in_mlflow(settings: Settings) -> list[str]:
    client = MlflowClient(settings.tracking_uri)
    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    return [run.info.run_name for run in runs if run.info.status == "RUNNING"]


def test_form_starts_a_run_on_the_default_data(shown: UI, first: str) -> None:
    record = records.RunRecord.model_validate_json(records.path_of_success("prefect", MONTH, shown.home).read_bytes())
    assert record.run_id == first.rpartition("/")[2]
    assert len([stage for stage in record.stages if stage.stage == "train"]) == 9


def test_bad_month_in_the_form_gets_a_message(shown: UI, tmp_path: Path, chromium: Browser) -> None:
    before = len(shown.runs())
    with chromium.page(tmp_path) as browser:
        open_form(browser, shown.url)
        browser.get_by_role("textbox", name="month").fill("2013-6")
        browser.get_by_role("button", name="Submit").click()
        expect(browser.get_by_text("'2013-6' does not match").first).to_be_visible()
    assert len(shown.runs()) == before


def test_pages_show_what_the_run_has_made(shown: UI, first: str, tmp_path: Path, chromium: Browser) -> None:
    deployment = shown.deployment("monthly-retraining")
    with chromium.page(tmp_path) as browser:
        browser.goto(f"{shown.url}/v2/deployments/deployment/{deployment['id']}?tab=Description")
        expect(browser.get_by_text("Retrains the model that tells")).to_be_visible()
        expect(browser.get_by_text("The open-source UI has no page for the assets")).to_be_visible()
        expect(browser.get_by_text("champion-challenger")).to_be_visible()
        latest = {one["key"]: one["latest_id"] for one in shown.post("artifacts/latest/filter", {})}
        champion = records.read("prefect", MONTH, shown.home).champion
        artifact(browser, shown.url, latest["leaderboard"], r"EWR\s+boosting20\s+0\.\d{2,4}\s+0\.\d{2,4}\s+✓")
        artifact(browser, shown.url, latest["evaluation"], r"challenger\s+JFK\s+\d+\s+0\.\d{2,4}\s+0\.\d{2,4}")
        artifact(browser, shown.url, latest["champion"], champion.fingerprint)
        expect(browser.get_by_role("link", name="1", exact=True)).to_have_attribute("href", re.compile("/versions/1"))
        artifact(browser, shown.url, latest["mlflow"], "MLflow, run of")
        link = browser.get_by_role("link", name=f"MLflow, run of {MONTH}")
        expect(link).to_have_attribute("href", re.compile("/#/experiments/"))
        artifact(browser, shown.url, latest["calibration"], "Calibration on")
        assert browser.locator("img[src^=data]").evaluate("picture => picture.decode().then(() => picture.width)") > 100


def test_assets_have_no_page_but_events_in_the_feed(shown: UI, first: str, tmp_path: Path, chromium: Browser) -> None:
    with chromium.page(tmp_path) as browser:

        def in_the_feed() -> bool:  # which shows an event from the next full minute on
            browser.goto(f"{shown.url}/v2/events")
            shown_ones = browser.get_by_role("listitem").filter(has_text="prefect.")
            shown_ones.or_(browser.get_by_text("No events found")).first.wait_for()
            return browser.get_by_text("triptych://model").count() > 0

        until(in_the_feed, 150)
        assert browser.get_by_role("link", name="Assets").count() == 0


def test_schedule_is_off_and_its_switch_outlives_the_next_deployment(
    shown: UI, first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chromium: Browser
) -> None:
    (schedule,) = shown.deployment("first-of-the-month")["schedules"]
    assert not schedule["active"]
    with chromium.page(tmp_path) as browser:
        browser.goto(f"{shown.url}/v2/deployments/deployment/{shown.deployment('first-of-the-month')['id']}")
        switch = browser.get_by_role("switch", name="toggle")
        insist(browser, "/schedules/", switch.click)
        expect(switch).to_be_checked()
    monkeypatch.setenv("PREFECT_API_URL", f"{shown.url}/api")
    with ThreadPoolExecutor(1) as thread:
        thread.submit(deploy_again, shown.url).result()
    (schedule,) = shown.deployment("first-of-the-month")["schedules"]
    assert schedule["active"]


def deploy_again(url: str) -> None:
    """What the UI's command does when it is started again."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from prefect_impl import serve

    with temporary_settings({PREFECT_API_URL: f"{url}/api"}), get_client(sync_client=True) as api:
        serve.deploy(api)


def artifact(browser: Page, url: str, name: str, shows: str) -> None:
    browser.goto(f"{url}/v2/artifacts/artifact/{name}")
    expect(browser.locator("body")).to_contain_text(re.compile(shows), use_inner_text=True)


def test_tour_of_the_pages_asks_nothing_outside_this_machine(
    shown: UI, first: str, tmp_path: Path, chromium: Browser
) -> None:
    with chromium.page(tmp_path) as browser:
        for path, sections in {"/docs": (), "/api/docs": (), "/redoc": (), "/": IN_V1, "/v2/runs": SECTIONS}.items():
            browser.goto(shown.url + path)
            browser.wait_for_load_state("networkidle")
            for section in sections:
                follow(browser, section)
        browser.goto(first)
        for tab in ("Details", "Logs", "Task Runs", "Artifacts", "Parameters"):
            browser.get_by_role("tab", name=tab).click()
            browser.wait_for_load_state("networkidle")


def test_run_stopped_in_the_page_ends_within_seconds(
    shown: UI, first: str, source: Path, tmp_path: Path, chromium: Browser
) -> None:
    shown.go.unlink(missing_ok=True)
    before = aliases(shown.settings)
    with chromium.page(tmp_path) as browser:
        browser.goto(shown.start(source, families=FAMILIES))
        expect_newest_in_log(browser, "JFK/logistic: Brier score")
        began = time.monotonic()
        insist(browser, "/set_state", partial(cancel, browser))
        expect_state(browser, "Cancelled")
        run = browser.url
    assert time.monotonic() - began < 90  # another process loads the flow first, for its hook: 33 s on a busy machine
    assert shown.record(run, "failed").error == records.STOPPED
    assert running_in_mlflow(shown.settings) == []
    assert aliases(shown.settings) == before
    again = shown.start(source)
    assert shown.record(again, "success").champion
    with chromium.page(tmp_path) as browser:
        browser.goto(again)
        expect_state(browser, "Completed")


def test_killed_in_mid_fan_out_a_run_started_in_any_way_loses_no_candidate(
    shown: UI, source: Path, tmp_path: Path, chromium: Browser
) -> None:
    """Prefect's only way is a deployment's run: form, schedule and API make the same one, for the same runner."""
    shown.go.unlink(missing_ok=True)
    with chromium.page(tmp_path) as browser:
        browser.goto(shown.start(source, families=FAMILIES, seed=1))
        expect_newest_in_log(browser, "JFK/logistic: Brier score")
        shown.kill.at("shared.stages.train:split")
        shown.go.touch()
        until(lambda: shown.kill.killed)
        address = leave(browser)
        run = address.partition("?")[0].rpartition("/")[2]
        record = shown.record(run, "success")  # the automation has run it again
        browser.goto(address)
        expect_state(browser, "Completed")
    states = [state["name"] for state in httpx.get(f"{shown.url}/api/flow_run_states/?flow_run_id={run}").json()]
    assert {"Crashed", "AwaitingRetry"} <= set(states)
    trained = [stage.key for stage in record.stages if stage.stage == "train" and stage.state == "success"]
    assert trained == [f"{origin}/{family}" for origin in ("EWR", "JFK", "LGA") for family in FAMILIES]
    assert shown.kill.killed
    assert running_in_mlflow(shown.settings) == []


def command(home: Path, source: Path) -> tuple[list[str], dict[str, str]]:
    words = [sys.executable, "-m", "prefect_impl.run", MONTH, "--min-rows", "100", "--source", str(source)]
    return words, {**os.environ, "TRIPTYCH_HOME": str(home)}


def test_runs_interrupted_in_the_terminal_are_over_when_the_ui_comes_up(
    home: Path, source: Path, tmp_path: Path, chromium: Browser
) -> None:
    kill = Kill(tmp_path)
    for number in (signal.SIGINT, signal.SIGKILL):
        kill.at("shared.stages.train:split", number)
        words, env = command(home, source)
        subprocess.run(words, env={**env, **kill.env}, capture_output=True, timeout=120, start_new_session=True)
        assert kill.killed
    with ui("prefect_impl.ui", home) as url, chromium.page(tmp_path) as browser:
        shown = UI(url, home, kill, tmp_path)
        browser.goto(f"{url}/v2/runs")
        expect_state(browser, "Cancelled")
        expect_state(browser, "Crashed")
        assert sorted(run["state_name"] for run in shown.runs()) == ["Cancelled", "Crashed"]
        leave(browser)
        again = shown.start(source)
        shown.record(again, "success")
        browser.goto(again)
        expect_state(browser, "Completed")
        assert running_in_mlflow(shown.settings) == []


def test_command_shows_its_run_in_the_ui_that_is_up(shown: UI, source: Path, tmp_path: Path, chromium: Browser) -> None:
    words, env = command(shown.home, source)
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    record = records.read("prefect", MONTH, shown.home)
    link = f"{shown.url}/v2/runs/flow-run/{record.run_id}"
    assert f"View at {link}\n" in done.stdout + done.stderr
    ended = re.findall(r"Task run '(.+)' - Finished in state Completed", done.stdout + done.stderr)
    assert set(ended) >= {"ingest", "validate", "features", "plan", "EWR/logistic", "evaluate"}
    with chromium.page(tmp_path) as browser:
        browser.goto(link)
        expect_state(browser, "Completed")
