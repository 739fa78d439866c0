"""Prefect shows what a task publishes as artifacts, one of them for its progress, in a tab of the flow run's page."""

import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from pathlib import Path
from typing import Any

from prefect import State, flow, task, unmapped
from prefect.artifacts import (
    create_image_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.client.schemas.objects import FlowRun
from prefect.flow_engine import run_flow
from prefect.futures import as_completed

from tests.candidates import PLOT, SCORES, Row, fit, leaderboard
from tests.live import prefect
from tests.pages import seen
from tests.pages.browser import page
from tests.scenario import Scenario


@task(task_run_name="{candidate}")
def train(candidate: str, go: str) -> Row:
    return fit(candidate, go)


@task
def show(rows: list[Row]) -> None:
    create_table_artifact(leaderboard(rows), key="o7-leaderboard")
    create_image_artifact(PLOT, key="o7-calibration")


@flow
def obvious(go: str) -> None:
    progress = create_progress_artifact(0.0, key="o7-candidates")
    rows: list[Row] = []
    for trained in as_completed(train.map(list(SCORES), unmapped(go))):
        rows.append(trained.result())
        update_progress_artifact(progress, round(100 * len(rows) / len(SCORES)))
    show(rows)


@contextmanager
def under_way(run: FlowRun, go: Path) -> Iterator[Future[State[Any]]]:
    """Run the flow in another thread, while this one looks at its page."""
    with ThreadPoolExecutor() as threads:
        try:
            yield threads.submit(copy_context().run, run_flow, obvious, flow_run=run, return_type="state")
        finally:
            go.touch()


def test_o7_what_a_person_sees(results: Path, tmp_path: Path, scenario: Scenario) -> None:
    go = tmp_path / "go"
    with prefect.client() as api:
        run = api.create_flow_run(obvious, parameters={"go": str(go)})
    with prefect.pages(tmp_path) as url, under_way(run, go) as running, page(tmp_path) as shown:

        def open_artifact(key: str) -> str:
            """Each artifact of the key, of whatever run, has a link that is called by its id."""
            shown.goto(f"{url}/v2/runs/flow-run/{run.id}")
            of_key = shown.get_by_role("heading", name=key)
            by_id = shown.get_by_role("link", name=re.compile("^[0-9a-f]{8}$")).first
            return seen.click({"Artifacts": shown.get_by_role("tab", name="Artifacts"), key: of_key, "its id": by_id})

        shown.goto(f"{url}/v2/runs/flow-run/{run.id}")
        shown.get_by_role("tab", name="Task Runs").click()
        told, says = seen.progress(shown.get_by_role("listitem").all_inner_texts, "Completed", "Running")
        open_artifact("o7-candidates")
        said = shown.get_by_text("Progress: ").inner_text()
        go.touch()
        ended = running.result()
        table_at = open_artifact("o7-leaderboard")
        table = seen.table(shown)
        plot_at = open_artifact("o7-calibration")
        plot = seen.plot(shown)
    scenario.obvious(
        obvious,
        train,
        show,
        success=ended.is_completed(),
        table=table,
        plot=plot,
        progress=told,
        table_at=table_at,
        plot_at=plot_at,
        progress_says=says,
    )
    scenario.finding(
        f"Prefect has an artifact for each: a table, an image, a progress. The run's page has a card for each, which "
        f"leads to all artifacts of its key, and those to the one of this run: {table_at}. The tab Task Runs has each "
        f'candidate with its state; the progress artifact, which the flow updates, said "{said}" meanwhile.'
    )
