"""Airflow fails the task whose list is longer than a setting allows; with the setting raised all of it runs."""

import pytest
from airflow.configuration import conf
from airflow.sdk import dag, task

from tests.live.airflow import InProcess
from tests.scenario import Scenario

N = 1_100


@dag(dag_id="d8_obvious", schedule=None)
def obvious() -> None:
    @task
    def items() -> list[int]:
        return list(range(N))

    @task
    def work(item: int) -> int:
        return item

    @task
    def count(results: list[int]) -> int:
        return len(list(results[:]))

    count(work.expand(item=items()))


obvious_dag = obvious()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_d8_eleven_hundred_instances(
    in_process: InProcess, scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {}
    default = conf.getint("core", "max_map_length")
    for version, record, limit in (("obvious", scenario.obvious, default), ("idiom", scenario.idiom, N)):
        monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", str(limit))
        run = obvious_dag.test()
        states = in_process.states(run)
        ended_well = [name for name in states if name.startswith("work ") and states[name] == "success"]
        counted = in_process.result(run, "count") if states["count"] == "success" else 0
        seen[version] = {"run": run.state, "items": states["items"], "instances": len(ended_well)}
        record(
            obvious,
            success=run.state == "success",
            all_run=len(ended_well) == N,
            fan_in_gets_all=counted == N,
            run_state=str(run.state),
            instances=len(ended_well),
            limit=f"max_map_length {limit}",
            seconds=round((run.end_date - run.start_date).total_seconds(), 1),
        )
    scenario.finding(
        f"A list of {N} items is longer than max_map_length, {default} by default: the task that returns it is "
        f"{seen['obvious']['items']}, and so is the run; with that setting at {N}, {seen['idiom']['instances']} "
        f"instances ran and the run was a {seen['idiom']['run']}."
    )
