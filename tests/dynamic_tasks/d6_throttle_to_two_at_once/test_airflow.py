"""Airflow's pool holds a limit over all runs and Dags; the scheduler counts who is in it."""

import time
from typing import Any

import pytest
from airflow.sdk import Param, dag, task

from tests.live.airflow import Engine, path_of
from tests.live.watch import until
from tests.scenario import Scenario


@dag(dag_id="d6_obvious", schedule=None, params={"seconds": Param(1, type="integer")})
def obvious() -> None:
    @task(pool="two at once")
    def work(number: int, *, params: dict[str, Any]) -> None:
        time.sleep(params["seconds"])

    work.expand(number=[0, 1, 2, 3])


obvious_dag = obvious()


def most_at_once(tasks: list[dict[str, Any]]) -> int:
    """The largest number of task instances that ran at one moment."""
    return max(sum(task["start_date"] <= one["start_date"] < task["end_date"] for task in tasks) for one in tasks)


@pytest.mark.live
def test_d6_throttle_to_two_at_once(live: Engine, scenario: Scenario) -> None:
    live.ask("POST", "pools", json={"name": "two at once", "slots": 2}).raise_for_status()  # as on the page Pools
    runs = [live.start("d6_obvious") for _ in range(2)]
    states = [live.wait(run) for run in runs]
    tasks = [list(live.tasks(run).values()) for run in runs]
    details = [live.get(path_of(run)) for run in runs]
    assert max(run["start_date"] for run in details) < min(run["end_date"] for run in details)  # both at work at once
    in_a_run, over_both = max(map(most_at_once, tasks)), most_at_once([*tasks[0], *tasks[1]])

    holder = live.start("d6_obvious", {"seconds": 600})

    def working() -> set[str]:
        return {name for name, state in live.states(holder).items() if state == "running"}

    first = until(lambda: len(held := working()) == 2 and held)
    killed = min(first)
    live.kill(holder, killed)
    began = time.monotonic()
    until(lambda: working() - first)
    seconds = time.monotonic() - began
    assert live.states(holder)[killed] == "failed"
    live.ask("PATCH", path_of(holder), json={"state": "failed"}).raise_for_status()
    scenario.obvious(
        obvious,
        success=set(states) == {"success"},
        two_within_a_run=in_a_run <= 2,
        two_over_all_runs=over_both <= 2,
        place_comes_back=seconds < 120,
        most_in_a_run=in_a_run,
        most_over_both=over_both,
        limit="a pool of two slots",
    )
    scenario.finding(
        f"Of two runs with four tasks each, never more than {over_both} tasks were at work in a pool of two slots; "
        f"when one of them was killed, the next one began {seconds:.0f} s later, without a person's help."
    )
