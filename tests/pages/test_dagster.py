"""Dagster's own pages, used as a person uses them."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from shared.lib import registry, tracking
from shared.runtime import records
from shared.runtime.records import RunRecord
from shared.settings import Settings
from tests.faults import Kill
from tests.live.dagster import Engine
from tests.live.watch import until
from tests.pages.browser import Browser, leave
from tests.pages.ui import ui

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

JOB = "/locations/triptych/jobs/retrain/playground"
COMMAND = [sys.executable, "-m", "dagster_impl.run", "2013-06", "--min-rows", "100", "--source"]
SECONDS = 240
expect.set_options(timeout=SECONDS * 1000)

RUNS = """{ runsOrError { ... on Runs { results {
  runId parentRunId status stepStats { stepKey status }
} } } }"""


class UI:
    """A web UI of a home; `kill` kills what it has started."""

    def __init__(self, url: str, home: Path, kill: Kill) -> None:
        self.url, self.home, self.kill, self.settings = url, home, kill, Settings(tool="dagster", home=home)
        self.engine = Engine(url)

    def runs(self) -> list[SimpleNamespace]:
        """All runs, the newest first."""
        return [SimpleNamespace(**run) for run in self.engine.query(RUNS)["runsOrError"]["results"]]

    def trained(self) -> int:
        """How many candidates the newest run has trained."""
        steps = self.runs()[0].stepStats
        return sum(".train[" in step["stepKey"] and step["status"] == "SUCCESS" for step in steps)

    def record(self, month: str, state: str = "success") -> RunRecord:
        """The month's record, as soon as there is one in the state."""
        path = records.path_of("dagster", month, self.home)
        until(lambda: path.exists() and records.read("dagster", month, self.home).state == state, SECONDS)
        return records.read("dagster", month, self.home)

    def running_in_mlflow(self) -> list[Any]:
        return tracking.client(self.settings).search_runs(
            [tracking.experiment_id(self.settings)], "attributes.status = 'RUNNING'"
        )


@pytest.fixture(scope="module")
def up(prepared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[UI]:
    """The web UI of a new home."""
    folder = tmp_path_factory.mktemp("pages")
    home, kill = folder / "hôme", Kill(folder)
    shutil.copytree(prepared_home, home)
    with ui("dagster_impl.ui", home, kill.env) as url:
        yield UI(url, home, kill)


def launch(at: Page, up: UI, month: str) -> None:
    """Fill in the job's form with a month only, and press its button."""
    at.goto(up.url + JOB)
    field, option = at.get_by_placeholder("Partition"), at.get_by_text(month, exact=True).first

    def listed() -> bool:
        field.click()
        at.wait_for_timeout(1000)
        return option.is_visible()

    until(listed)  # the page closes the list when it draws itself anew
    option.click()
    expect(at.get_by_text(f"partition: {month}")).to_be_visible()
    at.get_by_role("button", name="Launch Run").click()
    at.wait_for_url("**/runs/*")


def materialize(at: Page, up: UI) -> None:
    """Open the form of the lineage's page."""
    at.goto(f"{up.url}/asset-groups")
    at.get_by_role("button", name="Materialize all").click()


def choose(at: Page, month: str) -> None:
    at.get_by_text("Select a partition or create one").click()
    at.get_by_text(month, exact=True).first.click()
    at.keyboard.press("Escape")


@pytest.fixture(scope="module")
def june(up: UI, tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> RunRecord:
    """A run of June on the default data, started in the form."""
    with chromium.page(tmp_path_factory.mktemp("june")) as at:
        launch(at, up, "2013-06")
        run = leave(at)
        record = up.record("2013-06")
        at.goto(run)
        expect(at.get_by_text("Success", exact=True).first).to_be_visible()
    return record


def test_form_starts_a_run_on_the_default_data(up: UI, june: RunRecord) -> None:
    assert june.champion.version == "1"
    assert {stage.state for stage in june.stages} == {"success"}
    assert records.path_of_success("dagster", "2013-06", up.home).exists()


def test_bad_month_in_the_form_gets_a_message(up: UI, tmp_path: Path, chromium: Browser) -> None:
    """The job's form knows the source's months; the lineage's one lets one be added, which the run then misses."""
    before = len(up.runs())
    with chromium.page(tmp_path) as at:
        at.goto(up.url + JOB)
        at.get_by_placeholder("Partition").fill("2030-01")
        at.get_by_role("button", name="Launch Run").click()
        expect(at.get_by_text("launch a run without a partition specified?")).to_be_visible()
        assert len(up.runs()) == before
        materialize(at, up)
        at.get_by_text("Add a partition").click()
        at.get_by_placeholder("name").fill("2030-01")
        at.get_by_role("button", name="Save").click()
        expect(at.get_by_placeholder("name")).not_to_be_visible()
        materialize(at, up)
        choose(at, "2030-01")
        at.get_by_role("button", name="Launch 1 run").click()
        at.get_by_text("View", exact=True).click()
        expect(at.get_by_text("flights/2030-01.csv is missing at the source").first).to_be_visible()
    assert up.record("2030-01", "failed").error.startswith("flights/2030-01.csv is missing at the source")


def test_pages_show_what_the_run_has_made(up: UI, june: RunRecord, tmp_path: Path, chromium: Browser) -> None:
    with chromium.page(tmp_path) as at:

        def shows(asset: str, *texts: str) -> None:
            at.goto(f"{up.url}/assets/{asset}")
            for text in ("late-flights", *texts):
                expect(at.get_by_text(text, exact=True).first).to_be_visible()

        shows("trained_candidates", "leaderboard", "The candidates that could be trained: one step each.", "0.1646")
        about = "The batch, when it keeps every rule; otherwise this fails, and nothing downstream sees the batch."
        shows("validated_batch", "PSI weather.temp", about)
        shows("evaluation", "scores", "0.1871", "challenger: Brier score EWR", "challenger: AUC JFK")
        at.get_by_text("[Show Markdown]").click()
        expect(at.get_by_role("img", name="calibration")).to_be_visible()
        at.get_by_role("button", name="Close").click()
        run = tracking.run_url(june.tracking.run_id, up.settings)
        expect(at.locator(f"a[href='{run}']").first).to_be_visible()
        at.get_by_text("Plots", exact=True).click()
        expect(at.locator("canvas").first).to_be_visible()
        shows("champion", "Brier score", "AUC LGA")
        expect(at.locator(f"a[href='{registry.version_url('1', up.settings)}']").first).to_be_visible()


def test_tour_of_the_pages_asks_nothing_outside_this_machine(
    up: UI, june: RunRecord, tmp_path: Path, chromium: Browser
) -> None:
    with chromium.page(tmp_path) as at:
        for section in ("Overview", "Runs", "Catalog", "Jobs", "Automation", "Lineage", "Deployment"):
            at.goto(up.url)
            at.get_by_role("link", name=section).first.click()
            at.wait_for_load_state("networkidle")
        at.goto(f"{up.url}/runs/{june.run_id}")
        expect(at.get_by_text("RUN_SUCCESS")).to_be_visible()


def test_run_stopped_in_the_page_ends_within_seconds(
    up: UI, june: RunRecord, tmp_path: Path, chromium: Browser
) -> None:
    before = registry.aliases(up.settings)
    with chromium.page(tmp_path) as at:
        launch(at, up, "2013-10")
        until(up.trained, SECONDS)
        at.get_by_role("button", name="Terminate").click()
        at.get_by_role("button", name="Terminate 1 run").click()
        expect(at.get_by_text("Canceled", exact=True).first).to_be_visible(timeout=20_000)
    stopped = up.record("2013-10", "failed")
    trained = [stage for stage in stopped.stages if stage.stage == "train" and stage.state == "success"]
    assert stopped.error == records.STOPPED
    assert 0 < len(trained) < 9
    assert not up.running_in_mlflow()
    assert registry.aliases(up.settings) == before
    with chromium.page(tmp_path) as at:
        launch(at, up, "2013-10")
    assert len(up.record("2013-10").stages) == len(june.stages)


def test_killed_in_mid_fan_out_a_run_started_in_any_way_loses_no_candidate(
    up: UI, june: RunRecord, tmp_path: Path, chromium: Browser
) -> None:
    """Started from the lineage, a run has no tag of a job; the job's own form is tried by the conformance tests."""
    with chromium.page(tmp_path) as at:
        before = len(up.runs())
        materialize(at, up)
        choose(at, "2013-07")
        at.get_by_role("button", name="Launch", exact=False).last.click()
        until(lambda: len(up.runs()) > before)
    until(lambda: up.trained() >= 2, SECONDS)
    up.kill.at("shared.stages.train:split")
    until(lambda: up.kill.killed, SECONDS)
    record = up.record("2013-07")
    again, killed = up.runs()[:2]
    assert (again.parentRunId, again.status, killed.status) == (killed.runId, "SUCCESS", "FAILURE")
    assert record.run_id == again.runId
    assert [stage.state for stage in record.stages if stage.stage == "train"] == ["success"] * 9
    assert up.trained() == 9


def test_runs_interrupted_in_the_terminal_are_over_when_the_ui_comes_up(
    home: Path, source: Path, tmp_path: Path
) -> None:
    kill = Kill(tmp_path)
    for number in (signal.SIGKILL, signal.SIGINT):
        kill.at("shared.stages.train:split", number)
        subprocess.run([*COMMAND, str(source)], env={**os.environ, **kill.env}, start_new_session=True, timeout=SECONDS)
        assert kill.killed
    with ui("dagster_impl.ui", home) as url:
        shown = UI(url, home, kill)
        assert [run.status for run in shown.runs()] == ["CANCELED", "CANCELED"]
        assert not shown.running_in_mlflow()
        settings = Settings(tool="dagster", source=str(source), min_rows=100)
        shown.engine.start_pipeline("2013-06", settings, location="triptych")
        assert shown.record("2013-06").champion.version == "1"
        assert [run.status for run in shown.runs()] == ["SUCCESS", "CANCELED", "CANCELED"]


def test_command_shows_its_run_in_the_ui_that_is_up(up: UI, source: Path, tmp_path: Path, chromium: Browser) -> None:
    env = {**os.environ, "TRIPTYCH_HOME": str(up.home)}
    done = subprocess.run([*COMMAND, str(source)], env=env, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    first, *lines = done.stdout.splitlines()
    link = first.split()[-1]
    assert link.startswith(f"{up.url}/runs/")
    for step in ("batch", "trained_candidates.train[EWR__logistic]", "evaluation"):
        assert [line for line in lines if line.endswith(f" {step}: done")]
    with chromium.page(tmp_path) as at:
        at.goto(link)
        expect(at.get_by_text("Success", exact=True).first).to_be_visible(timeout=240_000)
