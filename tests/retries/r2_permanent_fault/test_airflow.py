"""Airflow retries every exception alike, unless a retry policy names those that are worth it."""

import shutil
from datetime import timedelta
from pathlib import Path

from airflow.sdk import dag, task

from tests.live.airflow import InProcess
from tests.scenario import Scenario


@dag(dag_id="r2_obvious", schedule=None)
def obvious() -> None:
    @task(retries=3, retry_delay=timedelta(0))
    def validate() -> None:
        raise ValueError("the batch breaks a rule")

    validate()


obvious_dag = obvious()


def test_r2_permanent_fault(in_process: InProcess, source: Path, tmp_path: Path, scenario: Scenario) -> None:
    from airflow_impl.pipeline import late_flights_dag

    run = obvious_dag.test()
    plain = in_process.tries(run, "validate")
    assert {attempt.state for attempt in plain} == {"failed"}
    scenario.obvious(
        obvious,
        success=run.state == "success",
        tried_once=len(plain) == 1,
        run_fails=run.state == "failed",
        attempts=len(plain),
        retries_left=plain[-1].max_tries + 1 - len(plain),
    )

    broken = shutil.copytree(source, tmp_path / "broken")
    flights = broken / "flights" / "2013-06.csv"
    flights.write_text(flights.read_text().replace(",1400,", ",-1400,"))
    record = in_process.pipeline(source=str(broken))
    rejected = in_process.tries(record, "validate")
    assert rejected[-1].state == "failed"
    assert in_process.states(record)["features"] == "upstream_failed"
    scenario.idiom(
        late_flights_dag.get_task("validate").python_callable,
        success=record.state == "success",
        tried_once=len(rejected) == 1,
        run_fails=record.state == "failed",
        attempts=len(rejected),
        retries_left=rejected[-1].max_tries + 1 - len(rejected),
    )
    scenario.finding(
        f"Airflow tried the ValueError {len(plain)} times; the pipeline's tasks have an ExceptionRetryPolicy that "
        f"retries named exceptions only, so that validate was tried {len(rejected)} time and then failed for good."
    )
