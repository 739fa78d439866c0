"""Each mapped instance is a task instance of its own in Airflow, so that its retry is its own, too."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from airflow.sdk import dag, task

from tests.faults import scripted_source
from tests.live.airflow import InProcess
from tests.scenario import Scenario


@dag(dag_id="r3_obvious", schedule=None)
def obvious() -> None:
    @task(retries=1, retry_delay=timedelta(seconds=1))
    def fit(candidate: str, *, params: dict[str, Any]) -> str:
        return httpx.get(f"{params['url']}/{candidate}", trust_env=False).raise_for_status().text

    @task
    def collect(fitted: list[str]) -> list[str]:
        return list(fitted)

    collect(fit.expand(candidate=["a", "b", "c"]))


obvious_dag = obvious()


def test_r3_retry_one_mapped_instance(in_process: InProcess, tmp_path: Path, scenario: Scenario) -> None:
    for candidate in "abc":
        (tmp_path / candidate).write_text(f"{candidate} fitted")
    with scripted_source(tmp_path, {"b": [503]}) as source:
        run = obvious_dag.test(run_conf={"url": source.url})
    attempts = in_process.attempts(run)
    results = in_process.result(run, "collect")
    assert [attempt.state for attempt in in_process.tries(run, "fit 1")] == ["failed", "success"]
    assert {candidate: len(source.times(candidate)) for candidate in "abc"} == {"a": 1, "b": 2, "c": 1}
    scenario.obvious(
        obvious,
        success=run.state == "success",
        only_that_one=attempts == {"collect": 1, "fit 0": 1, "fit 1": 2, "fit 2": 1},
        fan_in_gets_all=results == ["a fitted", "b fitted", "c fitted"],
        attempts=attempts,
        results=results,
    )
    scenario.finding(
        f"Airflow tried fit 1 {attempts['fit 1']} times and its siblings {attempts['fit 0']} time each; the fan-in "
        f"waited, and got {len(results)} results in the order of the inputs."
    )
