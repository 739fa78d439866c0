"""Airflow's LocalExecutor runs each task in a process of its own, as many at once as the Dag's limit allows."""

import os
from datetime import datetime
from pathlib import Path

import pytest
from airflow.sdk import dag, task

from airflow_impl import ui
from tests.live.airflow import Engine
from tests.scale.s1_two_cores import NINE, Fit, answers, fit, let_go
from tests.scenario import Scenario


@dag(dag_id="s1_obvious", schedule=None, params={"folder": ""})
def obvious() -> None:
    task(fit).partial(folder="{{ params.folder }}").expand(number=list(NINE))


@dag(dag_id="s1_idiom", schedule=None, params={"folder": ""}, max_active_tasks=os.cpu_count() or 1)
def idiom() -> None:
    task(fit).partial(folder="{{ params.folder }}").expand(number=list(NINE))


obvious()
idiom_dag = idiom()
PARALLELISM = ui.variables("", 0)["AIRFLOW__CORE__PARALLELISM"]


@pytest.mark.live
def test_s1_two_cores(live: Engine, tmp_path: Path, scenario: Scenario) -> None:
    seen, limited = (observe(live, dag_id, tmp_path / dag_id) for dag_id in ("s1_obvious", "s1_idiom"))
    scenario.obvious(obvious, fit, **seen, limit=f"the executor's parallelism: {PARALLELISM}, 32 by default")
    scenario.idiom(idiom, fit, **limited, limit=f"the Dag's max_active_tasks: {idiom_dag.max_active_tasks}")
    scenario.finding(
        f"The executor starts a process for each task, up to its parallelism ({PARALLELISM} here, 32 by default), "
        f"whatever the machine has: {seen['most_at_once']} of nine fits were at work at once. With max_active_tasks at "
        f"the number of cores there were {limited['most_at_once']}."
    )


def observe(live: Engine, dag_id: str, folder: Path) -> dict[str, bool | int]:
    folder.mkdir()
    run = live.start(dag_id, {"folder": str(folder)})
    let_go(folder)
    success = live.wait(run) == "success"
    fits = []
    for found in live.tasks(run).values():
        start, end = (datetime.fromisoformat(found[at]).timestamp() for at in ("start_date", "end_date"))
        fits.append(Fit(start, end, live.result(run, "fit", map_index=found["map_index"])))
    return {"success": success, **answers(fits)}
