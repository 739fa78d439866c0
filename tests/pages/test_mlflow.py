"""MLflow's pages, as `make mlflow-ui` opens them: what was asked, what came of it, and where it came from."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from playwright.sync_api import Page

from shared.contracts import Deployment, Evaluation
from shared.lib import registry, tracking
from shared.settings import Settings
from shared.stages.deploy import deploy
from shared.stages.evaluate import evaluate
from shared.stages.features import features
from shared.stages.ingest import ingest
from shared.stages.plan import plan
from shared.stages.train import train
from shared.stages.validate import validate
from tests.faults import scripted_source
from tests.pages.browser import Browser
from tests.pages.ui import ui

pytestmark = pytest.mark.slow

ORCHESTRATOR = "http://127.0.0.1:1/runs/one"
UNKNOWN = "tests.nowhere:nothing"


@pytest.fixture(scope="module")
def shown(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A month's run, and MLflow's UI that shows it."""
    home = tmp_path_factory.mktemp("mlflow's hôme")
    settings = Settings(home=home, source=str(source), min_rows=100, families=("logistic",))
    table = features(validate(ingest("2013-06", settings), settings), settings)
    planned = plan(table, "one", settings, ORCHESTRATOR)
    trained = [train(candidate, planned, settings) for candidate in planned.candidates]
    evaluation = evaluate(planned, trained, settings)
    deployment = deploy(evaluation, settings)
    with ui("shared.runtime.mlflow_ui", home):
        yield SimpleNamespace(settings=settings, evaluation=evaluation, deployment=deployment, trained=trained)


def see(opened: Page, *texts: str) -> None:
    for text in texts:
        opened.get_by_text(text).first.wait_for()


def test_experiment_opens_with_its_runs(shown: SimpleNamespace, tmp_path: Path, chromium: Browser) -> None:
    with chromium.page(tmp_path) as opened:
        opened.goto(tracking.page("experiments/1/runs", shown.settings))
        see(opened, "One run for each month that plain has trained")
        opened.get_by_role("link", name="2013-06").click()
        see(opened, "Parameters", "min_rows")


def test_runs_page_shows_link_decision_parameters_and_plot(
    shown: SimpleNamespace, tmp_path: Path, chromium: Browser
) -> None:
    evaluation: Evaluation = shown.evaluation
    with chromium.page(tmp_path) as opened:
        opened.goto(tracking.run_url(evaluation.run_id, shown.settings))
        link = opened.get_by_role("link", name="run one of the orchestrator")
        link.wait_for()
        assert link.get_attribute("href") == ORCHESTRATOR
        see(opened, evaluation.reason, "window", "2013-05", "families", "seed")
        opened.goto(tracking.page(f"experiments/1/runs/{evaluation.run_id}/artifacts/calibration.svg", shown.settings))
        see(opened, "calibration.svg")
        opened.wait_for_function("[...document.images].some(image => image.naturalWidth >= 300)")


def test_candidates_page_shows_dataset_rows_and_hyperparameters(
    shown: SimpleNamespace, tmp_path: Path, chromium: Browser
) -> None:
    with chromium.page(tmp_path) as opened:
        opened.goto(tracking.run_url(shown.trained[0].run_id, shown.settings))
        see(opened, "features/2013-06.arrow", "month", "holdout_rows", "max_iter", "brier")


def test_versions_page_says_why_it_is_in_service(shown: SimpleNamespace, tmp_path: Path, chromium: Browser) -> None:
    deployment: Deployment = shown.deployment
    with chromium.page(tmp_path) as opened:
        opened.goto(registry.version_url(deployment.version, shown.settings))
        see(opened, shown.evaluation.reason, "Trained on 2013-05.", "champion", "Schema")
        see(opened, "Limits", *shown.evaluation.features.inputs.values(), *shown.evaluation.features.warnings)


def test_traces_page_shows_the_tree_of_a_run_with_a_retry_and_a_failed_candidate(
    shown: SimpleNamespace, source: Path, tmp_path: Path, chromium: Browser
) -> None:
    settings = Settings(tool="dagster", home=shown.settings.home)
    words = [sys.executable, "-m", "dagster_impl.run", "2013-06", "--min-rows", "100"]
    words += ["--families", "logistic", UNKNOWN]
    env = {**os.environ, "TRIPTYCH_HOME": str(settings.home)}
    with scripted_source(source, {"flights/2013-06.csv": [503]}) as vendor:
        subprocess.run([*words, "--source", vendor.url], env=env, check=True, timeout=240)
    with chromium.page(tmp_path) as opened:
        opened.goto(tracking.page(f"experiments/{tracking.experiment_id(settings)}/traces", settings))
        opened.get_by_role("button", name="Got it").click()
        opened.get_by_text("ago").first.click()
        see(opened, f"train EWR/{UNKNOWN}", "deploy")
        assert [opened.get_by_text(name, exact=True).count() for name in ("ingest", "fit")] == [2, 3]


def test_tour_of_the_pages_asks_nothing_outside_this_machine(
    shown: SimpleNamespace, tmp_path: Path, chromium: Browser
) -> None:
    run = f"experiments/1/runs/{shown.evaluation.run_id}"
    of_experiment = [
        f"experiments/1/{section}" for section in ("overview", "traces", "models", "datasets", "prompts", "judges")
    ]
    paths = ["", "experiments", *of_experiment, run, f"{run}/model-metrics", f"{run}/artifacts", f"{run}/traces"]
    with chromium.page(tmp_path) as opened:
        for path in (*paths, "models", "models/late-flights-plain", "prompts", "gateway", "mcp-servers", "settings"):
            opened.goto(tracking.page(path, shown.settings))
            opened.get_by_role("link", name="Settings").wait_for()
            opened.wait_for_timeout(500)  # some pages ask again and again: there is no end to wait for
        answer = opened.request.get(tracking.page("", shown.settings))
        assert "http://127.0.0.1:*" in answer.headers["content-security-policy"]
