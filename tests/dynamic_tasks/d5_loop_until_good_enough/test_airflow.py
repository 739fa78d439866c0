"""An Airflow Dag has no cycle; a loop is a run that triggers the next one."""

from typing import Any

import pytest
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Param, dag, task
from airflow.sdk.exceptions import AirflowDagCycleException

from tests.live.airflow import Engine
from tests.live.watch import until
from tests.scenario import Scenario


@task
def improve(*, params: dict[str, Any]) -> float:
    return params["error"] / 2


@task.short_circuit
def not_good_enough(error: float) -> bool:
    return error > 0.1


def obvious() -> None:
    with DAG("d5_obvious", schedule=None, params={"error": Param(1.0, type="number")}) as cycle:
        error = improve()
        not_good_enough(error) >> error
    cycle.check_cycle()


@dag(dag_id="d5_idiom", schedule=None, params={"error": Param(1.0, type="number")})
def idiom() -> None:
    error = improve()
    again = TriggerDagRunOperator(task_id="again", trigger_dag_id="d5_idiom", conf={"error": error})
    not_good_enough(error) >> again


idiom_dag = idiom()


@pytest.mark.live
def test_d5_loop_until_good_enough(live: Engine, scenario: Scenario) -> None:
    with pytest.raises(AirflowDagCycleException) as cycle:
        obvious()
    refusal = str(cycle.value)
    live.start("d5_idiom")
    until(lambda: live.states(live.runs("d5_idiom")[-1]).get("again") == "skipped", 240)
    runs = live.runs("d5_idiom")
    states = [live.wait(run) for run in runs]
    results = [live.result(run, "improve") for run in runs]
    scenario.obvious(
        obvious,
        success=not refusal,  # no run without a Dag
        loops=not refusal,
        rounds_recorded=not refusal,
        rounds=0,
        records=0,
        refusal=refusal,
    )
    scenario.idiom(
        idiom,
        success=set(states) == {"success"},
        loops=results == [0.5, 0.25, 0.125, 0.0625],
        rounds_recorded=len(runs) == len(results),
        rounds=len(results),
        records=len(runs),
        refusal=refusal,
    )
    scenario.finding(
        f"Airflow refuses a cycle when it reads the Dag ('{refusal}'); where each run triggers the next one, "
        f"{len(runs)} runs came to an error of {results[-1]}, each with its own record, and none holds them all."
    )
