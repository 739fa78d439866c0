"""Airflow retries the killed candidate alone, whichever process was killed, and the fan-in waits for it."""

import time
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import dag, task

from tests.live.airflow import Engine, sigkill
from tests.live.watch import until
from tests.scenario import Scenario


@dag(dag_id="r7_obvious", schedule=None)
def obvious() -> None:
    @task(retries=1, retry_delay=timedelta(seconds=1), max_active_tis_per_dagrun=2)
    def fit(candidate: str, *, ti: Any) -> str:
        while candidate == "b" and ti.try_number == 1:  # until it is killed
            time.sleep(0.1)
        return candidate

    @task(trigger_rule="all_done")
    def collect(fitted: list[str]) -> list[str]:
        return list(fitted)

    collect(fit.expand(candidate=["a", "b", "c", "d"]))


obvious_dag = obvious()


@pytest.mark.live
def test_r7_killed_in_mid_fan_out(live: Engine, scenario: Scenario) -> None:
    of_task, of_parent = (live.start("r7_obvious") for _ in range(2))
    for run in (of_task, of_parent):
        until(lambda run=run: live.states(run).get("fit 0") == "success")  # one has finished
    orphan = live.process(of_parent, "fit 1")
    try:
        live.kill(of_task, "fit 1")
        live.kill_parent(of_parent, "fit 1")
        states = [live.wait(run) for run in (of_task, of_parent)]
    finally:
        with suppress(ProcessLookupError):
            sigkill(orphan)
    results = {"task": live.result(of_task, "collect"), "run": live.result(of_parent, "collect")}
    attempts = {"task": live.attempts(of_task), "run": live.attempts(of_parent)}
    fired = {by: attempts[by]["fit 1"] - 1 for by in attempts}
    scenario.obvious(
        obvious,
        success=states == ["success", "success"],
        none_lost_after_task_kill=results["task"] == ["a", "b", "c", "d"],
        none_lost_after_run_kill=results["run"] == ["a", "b", "c", "d"],
        finished_not_repeated=all(tried[f"fit {other}"] == 1 for tried in attempts.values() for other in (0, 2, 3)),
        results=results,
        attempts=attempts,
        retried_by=f"the scheduler, {' and '.join(map(str, fired.values()))} time",
    )
    scenario.finding(
        f"Whether the second candidate's process or its supervisor was killed, only that candidate was tried again "
        f"({attempts['task']['fit 1']} and {attempts['run']['fit 1']} attempts), and the fan-in got "
        f"{len(results['task'])} and {len(results['run'])} of 4 results."
    )
