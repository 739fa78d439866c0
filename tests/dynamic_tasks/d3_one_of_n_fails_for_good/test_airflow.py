"""Airflow's run has the state of its last tasks: a fan-in that runs in any case hides a failure, unless one watches."""

from airflow.sdk import dag, task

from tests.live.airflow import InProcess
from tests.scenario import Scenario

ITEMS = ["a", "b", "c"]


@task
def fit(item: str) -> str:
    if item == "b":
        raise ValueError("b will always fail")
    return item


@task
def collect(fitted: list[str]) -> int:
    return len(list(fitted))


@task(trigger_rule="one_failed")
def watcher() -> None:
    raise RuntimeError("a task has failed; see its log")


@dag(dag_id="d3_obvious", schedule=None)
def obvious() -> None:
    collect(fit.expand(item=ITEMS))


@dag(dag_id="d3_hidden", schedule=None)
def hidden() -> None:
    collect.override(trigger_rule="all_done")(fit.expand(item=ITEMS))


@dag(dag_id="d3_idiom", schedule=None)
def idiom() -> None:
    fitted = fit.expand(item=ITEMS)
    collected = collect.override(trigger_rule="all_done")(fitted)
    [fitted, collected] >> watcher()


obvious_dag, hidden_dag, idiom_dag = obvious(), hidden(), idiom()


def test_d3_one_of_n_fails_for_good(in_process: InProcess, scenario: Scenario) -> None:
    collected = {}
    for dag_of_version, record, code in ((obvious_dag, scenario.obvious, obvious), (idiom_dag, scenario.idiom, idiom)):
        run = dag_of_version.test()
        states = in_process.states(run)
        assert states["fit 1"] == "failed"
        results = in_process.result(run, "collect") if states["collect"] == "success" else 0
        collected[code] = states["collect"], results, run.state
        record(
            code,
            success=run.state == "success",
            siblings_finish=states["fit 0"] == states["fit 2"] == "success",
            fan_in_runs=results == 2,
            failure_shown=run.state == "failed",
            run_state=str(run.state),
            results=results,
            states=states,
        )
    hidden_run = hidden_dag.test()
    assert in_process.states(hidden_run)["fit 1"] == "failed"
    scenario.finding(
        f"By default the fan-in was {collected[obvious][0]}; with the trigger rule all_done it gets "
        f"{collected[idiom][1]} results, but then the run is a {hidden_run.state}, because only its last tasks count; "
        f"with a watcher, a last task that fails when any task has, the run is {collected[idiom][2]}."
    )
