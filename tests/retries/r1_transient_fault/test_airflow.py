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


def observe(in_process: InProcess, dag: Any, folder: Path) -> dict[str, Any]:
    """Run the Dag at a source with faults, and read from its record how long Airflow decided to wait, and waited."""
    script = {"one.csv": [503, 503], "two.csv": [503, 503], "limited.csv": [(429, {"Retry-After": "5"})]}
    with scripted_source(folder, script) as source:
        run = dag.test(run_conf={"url": source.url})
    tries = one, _, limited = [in_process.tries(run, f"download {index}") for index in range(3)]
    decided = [[in_process.planned_delay(run, dag, failed) for failed in attempts[:-1]] for attempts in tries]
    assert len(source.times("one.csv")) == len(one)
    assert all(waited >= delay - 0.1 for waited, delay in zip(seconds_between(one), decided[0], strict=True))
    return {
        "success": run.state == "success",
        "retried_until_good": [attempt.state for attempt in one] == ["failed", "failed", "success"],
        "delays_grow": decided[0][1] > decided[0][0],
        "jitter": decided[0] != decided[1],
        "retry_after_honoured": decided[2][0] >= 5,
        "attempts": len(one),
        "delays": seconds_between(one),
        "retry_after_wait": seconds_between(limited)[0],
    }


def test_r1_transient_fault(in_process: InProcess, tmp_path: Path, scenario: Scenario) -> None:
    for file in FILES:
        (tmp_path / file).write_text("flights")
    plain, polite = (observe(in_process, dag, tmp_path) for dag in (obvious_dag, idiom_dag))
    assert polite["retry_after_wait"] >= 5
    scenario.obvious(obvious, **plain)
    scenario.idiom(idiom, AsTheSourceAsks, **polite)
    scenario.finding(
        f"With retry_exponential_backoff=2 Airflow waited {' and '.join(map(str, plain['delays']))} s, without jitter "
        f"between two instances, and {plain['retry_after_wait']} s where the source had asked for 5 s; a RetryPolicy "
        f"of a dozen lines, which sees the exception, waited {polite['retry_after_wait']} s there and adds jitter."
    )
