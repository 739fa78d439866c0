"""Airflow names a mapped instance by a template, and searches by that name; its address is still a number."""

from pathlib import Path

import pytest

from shared.settings import Settings
from tests.live.airflow import Engine, conf, path_of
from tests.scenario import Scenario


@pytest.mark.live
def test_d7_found_by_name(live: Engine, source: Path, scenario: Scenario) -> None:
    from airflow_impl.pipeline import late_flights_dag

    settings = Settings(tool="airflow", source=str(source), min_rows=100)
    run = live.start("late_flights", conf("2013-06", settings))
    state = live.wait(run)
    names = {task["rendered_map_index"] for task in live.tasks(run).values() if task["task_id"] == "train"}
    found = live.get(f"{path_of(run)}/taskInstances", rendered_map_index_pattern="EWR/logistic")["task_instances"]
    (one,) = found
    trained = str(live.result(run, "train", map_index=one["map_index"]))
    assert "'EWR'" in trained
    assert "'logistic'" in trained
    scenario.obvious(
        late_flights_dag.get_task("train").python_callable,
        success=state == "success",
        named="EWR/logistic" in names,
        found_by_name=len(found) == 1 and one["task_id"] == "train",
        name=one["rendered_map_index"],
        found=len(found),
    )
    scenario.finding(
        f"With a map_index_template the instance is named {one['rendered_map_index']}, and the search behind the UI's "
        f"list of tasks finds {len(found)} of that name; in its address it is number {one['map_index']}."
    )
