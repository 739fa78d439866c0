"""What a person does on Airflow's pages, in a real browser, against the command behind `make airflow-ui`."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, unquote

import pytest
from playwright.sync_api import Page, expect

from shared.lib import registry, tracking
from shared.runtime import records
from shared.settings import Settings
from tests.faults import Kill
from tests.live.airflow import Engine, Run, conf
from tests.live.watch import until
from tests.pages.browser import Browser, follow, leave
from tests.pages.ui import ui

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
expect.set_options(timeout=120_000)  # a machine on which other tests run takes long for everything

DAG = "late_flights"
DEFAULTS = Settings(tool="airflow")
INTERRUPTS = (signal.SIGKILL, signal.SIGINT)


@pytest.fixture(scope="module")
def place(prepared_home: Path, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A home in which two command-line runs were interrupted while they trained, and then the UI was started."""
    folder = tmp_path_factory.mktemp("pages")
    home, kill = folder / "home", Kill(folder)
    shutil.copytree(prepared_home, home)
    env = {**os.environ, **kill.env, "TRIPTYCH_HOME": str(home)}
    small = Settings(tool="airflow", home=home, source=str(source), min_rows=100)
    for number in INTERRUPTS:
        kill.at("shared.stages.train:split", number)
        subprocess.run(command(small), env=env, capture_output=True, timeout=180, start_new_session=True)
        assert kill.killed
    with ui("airflow_impl.ui", home, kill.env) as url:
        yield SimpleNamespace(url=url, home=home, kill=kill, small=small, engine=Engine(url, folder))


def command(settings: Settings) -> list[str]:
    small = ["--source", settings.source, "--min-rows", str(settings.min_rows)]
    return [sys.executable, "-m", "airflow_impl.run", "2013-06", *small]


@pytest.fixture(scope="module")
def run(place: SimpleNamespace) -> Run:
    """A run on the small slice that has succeeded."""
    run = place.engine.start(DAG, conf("2013-06", place.small))
    assert place.engine.wait(run) == "success"
    return run


def press_trigger(shown: Page, place: SimpleNamespace, month: str, settings: Settings) -> None:
    """Open the Dag's form, fill it in, and press its button."""
    shown.goto(f"{place.url}/dags/{DAG}")
    shown.get_by_role("button", name="Trigger Dag").click()
    form = shown.get_by_role("dialog")
    form.locator("input[name=element_month]").fill(month)
    if settings.source:
        form.locator("input[name=element_source]").fill(settings.source)
        form.locator("input[name=element_min_rows]").fill(str(settings.min_rows))
    form.get_by_role("button", name="Trigger", exact=True).click()


def trigger(shown: Page, place: SimpleNamespace, month: str = "2013-06", settings: Settings = DEFAULTS) -> Run:
    """Start a run by the form; returns the run to whose page that leads."""
    press_trigger(shown, place, month, settings)
    shown.wait_for_url("**/runs/**")
    return Run(DAG, unquote(shown.url.partition("/runs/")[2]))


def materialize(shown: Page, place: SimpleNamespace) -> Run:
    """Start a run by asking for a new champion in the list of assets; the run has the Dag's defaults."""
    before = place.engine.runs(DAG)
    shown.goto(f"{place.url}/assets")
    shown.get_by_role("row", name="late_flights_champion").get_by_label("Create Event").click()
    shown.get_by_role("dialog").get_by_text("Materialize", exact=True).click()
    shown.get_by_role("dialog").get_by_role("button", name="Trigger", exact=True).click()
    (run,) = until(lambda: set(place.engine.runs(DAG)) - set(before))
    return run


def trained(place: SimpleNamespace, run: Run, state: str = "success") -> list[dict[str, Any]]:
    tasks = place.engine.tasks(run).items()
    return [task for name, task in tasks if name.startswith("train ") and task["state"] == state]


def nothing_runs_in_mlflow(settings: Settings) -> bool:
    running = "attributes.status = 'RUNNING'"
    return not tracking.client(settings).search_runs([tracking.experiment_id(settings)], running)


def test_form_starts_a_run_on_the_default_data(place: SimpleNamespace, tmp_path: Path, chromium: Browser) -> None:
    with chromium.page(tmp_path) as shown:
        started = trigger(shown, place)
        address = leave(shown)
        assert place.engine.wait(started) == "success"
        shown.goto(address)
        expect(shown.get_by_text("Success", exact=True).first).to_be_visible()
        expect(shown.get_by_text("2013-06: promote")).to_be_visible()  # the note
    success = records.path_of_success("airflow", "2013-06", place.home)
    assert json.loads(success.read_text())["run_id"] == started.run_id


def test_bad_month_in_the_form_gets_a_message(place: SimpleNamespace, tmp_path: Path, chromium: Browser) -> None:
    before = place.engine.runs(DAG)
    with chromium.page(tmp_path) as shown:
        press_trigger(shown, place, "2013-13", DEFAULTS)
        expect(shown.get_by_role("dialog")).to_contain_text("'2013-13' does not match")
    assert place.engine.runs(DAG) == before


def test_pages_show_what_the_run_has_made(place: SimpleNamespace, run: Run, tmp_path: Path, chromium: Browser) -> None:
    with chromium.page(tmp_path) as shown:
        shown.goto(f"{place.url}/dags/{DAG}/runs/{quote(run.run_id)}")
        expect(shown.get_by_text("Partition Key").locator("..")).to_contain_text("2013-06")
        expect(shown.get_by_role("link", name="MLflow")).to_have_attribute("href", re.compile("/runs/[0-9a-f]+"))
        shown.get_by_role("link", name="Report").click()
        report = shown.frame_locator("iframe")
        for row in ("challenger all", "base rate JFK", "EWR boosting60", "JFK logistic", "LGA boosting20"):
            expect(report.get_by_role("row", name=row)).to_have_count(1)
        expect(report.locator("svg polyline").first).to_be_visible()
        shown.goto(f"{place.url}/dags/{DAG}/runs/{quote(run.run_id)}/tasks/evaluate/details")
        expect(shown.get_by_role("link", name="MLflow")).to_have_attribute("href", re.compile("/runs/[0-9a-f]+"))
        shown.goto(f"{place.url}/dags/{DAG}")
        expect(shown.get_by_text("Owner").locator("..")).to_contain_text("triptych")
        shown.get_by_role("button", name="Dag Docs").click()
        expect(shown.get_by_role("dialog")).to_contain_text("Retrain the model of late flights")
        shown.goto(f"{place.url}/assets")
        shown.get_by_role("link", name="late_flights_champion").click()
        expect(shown.get_by_text("the model in service")).to_be_visible()
        shown.get_by_role("button", name="Task Dependencies").click()
        expect(shown.locator(".react-flow").get_by_text("flights", exact=True)).to_be_attached()
        shown.get_by_role("button", name="Fit View").click()  # it draws what is in sight only, and may open zoomed in
        for asset in ("flight_features", "late_flights_champion"):
            expect(shown.locator(".react-flow").get_by_text(asset, exact=True)).to_be_attached()


def test_tour_of_the_pages_asks_nothing_outside_this_machine(
    place: SimpleNamespace, run: Run, tmp_path: Path, chromium: Browser
) -> None:
    dag_tabs = ("", "/runs", "/tasks", "/calendar", "/backfills", "/events", "/code", "/details", "/tasks/train")
    run_tabs = ("", "/events", "/code", "/details", "/plugin/report", "/tasks/evaluate")
    lists = ("dags", "dag_runs", "task_instances", "assets", "xcoms", "pools", "plugins", "variables", "connections")
    paths = [f"dags/{DAG}{tab}" for tab in dag_tabs] + [f"dags/{DAG}/runs/{quote(run.run_id)}{tab}" for tab in run_tabs]
    with chromium.page(tmp_path) as shown:
        shown.goto(place.url)
        shown.wait_for_load_state("networkidle")
        for path in (*paths, *lists, "providers", "events", "jobs", "required_actions"):
            follow(shown, f"/{path}")
            assert not shown.get_by_text("Page Not Found").count(), path
        shown.goto(f"{place.url}/docs")


def test_run_stopped_in_the_page_ends_within_seconds(
    place: SimpleNamespace, run: Run, tmp_path: Path, chromium: Browser
) -> None:
    before = registry.aliases(place.small)
    with chromium.page(tmp_path) as shown:
        started = trigger(shown, place, "2013-03")
        until(lambda: trained(place, started, "running"))
        shown.get_by_role("button", name="Mark Dag Run as").click()
        shown.get_by_test_id("mark-run-as-failed").click()
        shown.get_by_role("dialog").get_by_role("button", name="Confirm").click()
        until(lambda: place.engine.state(started) == "failed", 20)
        shown.reload()
        expect(shown.get_by_text(records.STOPPED)).to_be_visible()
    until(lambda: nothing_runs_in_mlflow(place.small), 20)
    record = records.read("airflow", "2013-03", place.home)
    assert (record.run_id, record.state, record.error) == (started.run_id, "failed", records.STOPPED)
    assert registry.aliases(place.small) == before
    again = place.engine.start(DAG, {"month": "2013-03"})
    assert place.engine.wait(again) == "success"
    assert not trained(place, started, "running")


@pytest.mark.parametrize("start", [trigger, materialize])
def test_killed_in_mid_fan_out_a_run_started_in_any_way_loses_no_candidate(
    start: Callable[[Page, SimpleNamespace], Run], place: SimpleNamespace, tmp_path: Path, chromium: Browser
) -> None:
    with chromium.page(tmp_path) as shown:
        run = start(shown, place)
    until(lambda: len(trained(place, run)) > 1)
    place.kill.at("shared.stages.train:split")
    assert place.engine.wait(run) == "success"
    assert sorted(task["try_number"] for task in trained(place, run)) == [1] * 8 + [2]


def test_runs_interrupted_in_the_terminal_are_over_when_the_ui_comes_up(place: SimpleNamespace, run: Run) -> None:
    interrupted = place.engine.runs(DAG)[: len(INTERRUPTS)]
    for one in interrupted:
        assert place.engine.get(f"dags/{DAG}/dagRuns/{one.run_id}")["note"].startswith(f"2013-06: {records.STOPPED}")
        assert place.engine.state(one) == "failed"
        assert set(place.engine.states(one).values()) <= {"success", "failed", "skipped"}
    assert place.engine.get("pools/train")["occupied_slots"] == 0
    assert nothing_runs_in_mlflow(place.small)
    assert place.engine.state(run) == "success"


def test_command_shows_its_run_in_the_ui_that_is_up(place: SimpleNamespace, tmp_path: Path, chromium: Browser) -> None:
    env = {**os.environ, "TRIPTYCH_HOME": str(place.home)}
    done = subprocess.run(command(place.small), env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"^(\w+)(?: \S+)?: success, [\d.]+ s$", done.stdout, re.M) == [
        "ingest", "validate", "features", "plan", *["train"] * 9, "evaluate"
    ]  # fmt: skip
    with chromium.page(tmp_path) as shown:
        shown.goto(re.search(r"http://\S+/runs/\S+", done.stdout)[0])
        expect(shown.get_by_text("Success").first).to_be_visible()
        expect(shown.get_by_role("heading", name="2013-06__")).to_be_visible()
