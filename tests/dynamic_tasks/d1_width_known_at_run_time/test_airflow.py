"""Airflow makes the mapped instances when the list is there; over an empty list the skip spreads to the fan-in."""

from typing import Any

from airflow.sdk import Param, dag, task

from tests.live.airflow import InProcess
from tests.scenario import Scenario

PARAMS = {"n": Param(9, type="integer")}


@task
def items(*, params: dict[str, Any]) -> list[int]:
    return list(range(params["n"]))


@task
def square(number: int) -> int:
    return number**2


@task
def total(squares: list[int]) -> int:
    return sum(squares)


@dag(dag_id="d1_obvious", schedule=None, params=PARAMS)
def obvious() -> None:
    total(square.expand(number=items()))


@dag(dag_id="d1_idiom", schedule=None, params=PARAMS)
def idiom() -> None:
    total.override(trigger_rule="none_failed")(square.expand(number=items()))


obvious_dag, idiom_dag = obvious(), idiom()


def test_d1_width_known_at_run_time(in_process: InProcess, scenario: Scenario) -> None:
    of_none = {}
    for dag_of_version, record, code in ((obvious_dag, scenario.obvious, obvious), (idiom_dag, scenario.idiom, idiom)):
        runs = {n: dag_of_version.test(run_conf={"n": n}) for n in (1, 9, 100, 0)}
        states = {n: in_process.states(run) for n, run in runs.items()}
        instances = {n: sum(name.startswith("square ") for name in states[n]) for n in runs}
        sums = {n: in_process.result(run, "total") for n, run in runs.items() if states[n]["total"] == "success"}
        assert states[0]["square"] == "skipped"
        assert all(result == sum(number**2 for number in range(n)) for n, result in sums.items())
        of_none[code] = {"fan-in": states[0]["total"], "run": str(runs[0].state)}
        record(
            code,
            success=all(run.state == "success" for run in runs.values()),
            one_instance_an_item=all(instances[n] == n for n in (1, 9, 100)),
            fan_in_runs_for_none=0 in sums,
            instances=instances,
            state_of_none=states[0]["total"],
        )
    scenario.finding(
        f"Of no items Airflow makes one instance that is skipped, so that the fan-in was {of_none[obvious]['fan-in']} "
        f"and the run a {of_none[obvious]['run']}; with the trigger rule none_failed the fan-in ended as "
        f"{of_none[idiom]['fan-in']}, with an empty list."
    )
