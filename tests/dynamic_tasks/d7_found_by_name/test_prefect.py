"""In Prefect `task_run_name="{candidate.key}"` names each instance, and the filter of UI and API finds it by that."""

from pathlib import Path
from uuid import UUID

from prefect_impl import pipeline
from prefect_impl.run import run
from shared.settings import Settings
from tests.live import prefect
from tests.scenario import Scenario

NAME = "EWR/logistic"


def test_d7_found_by_name(home: Path, source: Path, scenario: Scenario) -> None:
    record = run("2013-06", Settings(tool="prefect", source=str(source), min_rows=100))
    prefect.task_runs(UUID(record.run_id), 15)  # 9 candidates, the other stages and the announcement of the champion
    asked = {"task_runs": {"name": {"like_": NAME}}, "flow_runs": {"id": {"any_": [record.run_id]}}}
    with prefect.client() as api:
        found = api.request("POST", "/task_runs/filter", json=asked).json()

    assert [(task_run["name"], task_run["state_name"]) for task_run in found] == [(NAME, "Completed")]
    scenario.obvious(
        pipeline.train,
        success=record.state == "success",
        named=found[0]["name"] == NAME,
        found_by_name=len(found) == 1,
        name=found[0]["name"],
        found=len(found),
    )
    scenario.finding(
        f"The name's template is filled in from the task's arguments, so that a search for {NAME} finds "
        f"{len(found)} task run of the run, {found[0]['name']}."
    )
