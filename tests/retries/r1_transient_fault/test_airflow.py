"""Airflow doubles its delays by a setting; jitter between instances, and Retry-After, take a retry policy."""

import random
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
from airflow.sdk import RetryDecision, RetryPolicy, dag, task

from tests.faults import scripted_source
from tests.live.airflow import InProcess
from tests.scenario import Scenario

SECOND = timedelta(seconds=1)
FILES = ["one.csv", "two.csv", "limited.csv"]


@dag(dag_id="r1_obvious", schedule=None)
def obvious() -> None:
    @task(retries=3, retry_delay=SECOND, retry_exponential_backoff=2)
    def download(file: str, *, params: dict[str, Any]) -> None:
        httpx.get(f"{params['url']}/{file}", trust_env=False).raise_for_status()

    download.expand(file=FILES)


class AsTheSourceAsks(RetryPolicy):
    """Waits as long as Retry-After says; else 1, 2, 4 ... seconds, and by chance up to half as long again."""

    def evaluate(self, exception: Any, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        response = getattr(exception, "response", None)
        asked = response.headers.get("Retry-After") if response else None
        return RetryDecision.retry(SECOND * (float(asked) if asked else 2 ** (try_number - 1) * random.uniform(1, 1.5)))

    def serialize(self) -> dict[str, Any]:
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> "AsTheSourceAsks":
        return cls()


@dag(dag_id="r1_idiom", schedule=None)
def idiom() -> None:
    @task(retries=3, retry_policy=AsTheSourceAsks())
    def download(file: str, *, params: dict[str, Any]) -> None:
        httpx.get(f"{params['url']}/{file}", trust_env=False).raise_for_status()

    download.expand(file=FILES)


obvious_dag, idiom_dag = obvious(), idiom()


def seconds_between(tries: list[Any]) -> list[float]:
    return [round((later.start_date - earlier.end_date).total_seconds(), 1) for earlier, later in pairwise(tries)]


def test_r1_transient_fault(in_process: InProcess, tmp_path: Path, scenario: Scenario) -> None:
    for file in FILES:
        (tmp_path / file).write_text("flights")
    seen = {}
    for dag_of_version, record, code in (
        (obvious_dag, scenario.obvious, [obvious]),
        (idiom_dag, scenario.idiom, [idiom, AsTheSourceAsks]),
    ):
        script = {"one.csv": [503, 503], "two.csv": [503, 503], "limited.csv": [(429, {"Retry-After": "5"})]}
        with scripted_source(tmp_path, script) as source:
            run = dag_of_version.test(run_conf={"url": source.url})
        one, two, limited = (in_process.tries(run, f"download {index}") for index in range(3))
        task = dag_of_version.get_task("download")
        planned = [[in_process.planned_delay(run, task, failed) for failed in tries[:-1]] for tries in (one, two)]
        (pause,) = (in_process.planned_delay(run, task, failed) for failed in limited[:-1])
        assert [attempt.state for attempt in one] == ["failed", "failed", "success"]
        assert len(source.times("one.csv")) == len(one)
        assert all(wait >= plan - 0.1 for wait, plan in zip(seconds_between(one), planned[0], strict=True))
        seen[code[0]] = {"waits": seconds_between(one), "pause": seconds_between(limited)[0]}
        record(
            *code,
            success=run.state == "success",
            retried_until_good=one[-1].state == "success",
            delays_grow=planned[0][1] > planned[0][0],
            jitter=planned[0] != planned[1],
            retry_after_honoured=pause >= 5,
            attempts=len(one),
            delays=seen[code[0]]["waits"],
            retry_after_wait=seen[code[0]]["pause"],
        )
    assert seen[idiom]["pause"] >= 5
    scenario.finding(
        f"With retry_exponential_backoff=2 Airflow waited {' and '.join(map(str, seen[obvious]['waits']))} s, exactly "
        f"as long for both instances, and {seen[obvious]['pause']} s where the source had asked for 5 s; a RetryPolicy "
        f"of a dozen lines, which sees the exception, waited {seen[idiom]['pause']} s there and adds jitter."
    )
