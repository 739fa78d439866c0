"""Airflow skips the branch that is not taken, in sight, and with it what joins the branches, unless told otherwise."""

from typing import Any

from airflow.sdk import Param, dag, task

from tests.live.airflow import InProcess
from tests.scenario import Scenario

PARAMS = {"score": Param(3, type="integer")}


@task.branch
def decide(*, params: dict[str, Any]) -> str:
    return "promote" if params["score"] > 5 else "keep"


@task
def promote() -> None:
    pass


@task
def keep() -> None:
    pass


@task
def report() -> None:
    pass


@dag(dag_id="d4_obvious", schedule=None, params=PARAMS)
def obvious() -> None:
    decide() >> [promote(), keep()] >> report()


@dag(dag_id="d4_idiom", schedule=None, params=PARAMS)
def idiom() -> None:
    decide() >> [promote(), keep()] >> report.override(trigger_rule="none_failed_min_one_success")()


obvious_dag, idiom_dag = obvious(), idiom()


def test_d4_branch_at_run_time(in_process: InProcess, scenario: Scenario) -> None:
    reports = {}
    for dag_of_version, record, code in ((obvious_dag, scenario.obvious, obvious), (idiom_dag, scenario.idiom, idiom)):
        runs = [dag_of_version.test(run_conf={"score": score}) for score in (7, 3)]
        seven, three = (in_process.states(run) for run in runs)
        skipped = {seven["keep"], three["promote"]}
        reports[code] = {seven["report"], three["report"]}
        record(
            code,
            success=all(run.state == "success" for run in runs),
            taken_runs=seven["promote"] == three["keep"] == "success" and "success" not in skipped,
            skip_recorded=skipped == {"skipped"},
            joins_again=reports[code] == {"success"},
            skipped_state=", ".join(sorted(skipped)),
            run_state=", ".join(sorted({str(run.state) for run in runs})),
        )
    scenario.finding(
        f"The branch not taken is in the record as skipped; but a skip spreads, so that the task after both was "
        f"{' or '.join(reports[obvious])} and the run a success all the same; with the trigger rule "
        f"none_failed_min_one_success that task ended as {' or '.join(reports[idiom])}."
    )
