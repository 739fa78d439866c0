"""Prefect retries whatever a task raises, unless its `retry_condition_fn` says that trying again is of no use."""

import shutil
from pathlib import Path
from uuid import UUID

from prefect import flow, task

from prefect_impl import pipeline
from prefect_impl.run import run
from shared.settings import Settings
from tests.live import prefect
from tests.scenario import Scenario

MONTH = "2013-06"


@task(retries=3, task_run_name="check")
def check() -> None:
    raise ValueError("a distance of -1400 miles")


@flow
def obvious() -> None:
    check()


def test_r2_permanent_fault(home: Path, source: Path, tmp_path: Path, scenario: Scenario) -> None:
    flights = shutil.copytree(source, tmp_path / "broken") / "flights" / f"{MONTH}.csv"
    flights.write_text(flights.read_text().replace(",1400,", ",-1400,"))
    settings = Settings(tool="prefect", source=str(tmp_path / "broken"), min_rows=100)
    record = run(MONTH, settings)  # the pipeline's tasks have retry_condition_fn=is_transient
    rejected = prefect.task_run("validate", UUID(record.run_id))

    end = obvious(return_state=True)
    checked = prefect.task_run("check", end.state_details.flow_run_id)

    for code, task_run, state, observe in (
        ([obvious, check], checked, end, scenario.obvious),
        ([pipeline.validate, pipeline.is_transient], rejected, prefect.state(UUID(record.run_id)), scenario.idiom),
    ):
        retries_left = task_run.empirical_policy.retries - (task_run.run_count - 1)
        observe(
            *code,
            success=state.is_completed(),
            tried_once=task_run.run_count == 1 and retries_left > 0,
            run_fails=state.is_failed(),
            attempts=task_run.run_count,
            retries_left=retries_left,
        )
    assert "distance" in record.error
    assert [state.name for state in prefect.task_history(rejected)] == ["Pending", "Running", "Failed"]
    assert checked.run_count == 4
    scenario.finding(
        f"Prefect tried a task that raises ValueError {checked.run_count} times; `retry_condition_fn` looks at the "
        f"exception, and so the pipeline's validate was {rejected.state_name} after {rejected.run_count} try."
    )
