"""Prefect retries a task by itself; what the source says in Retry-After, the task has to tell Prefect."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from prefect import flow, task, unmapped
from prefect.states import AwaitingRetry
from prefect.tasks import exponential_backoff

from tests.faults import scripted_source
from tests.live import prefect
from tests.scenario import Scenario

SCRIPT = {"planes.csv": [503, 503], "airports.csv": [503, 503], "airlines.csv": [(429, {"Retry-After": "5"})]}


@task(retries=3, retry_delay_seconds=exponential_backoff(backoff_factor=1), task_run_name="{name}")
def download_obvious(url: str, name: str) -> int:
    return len(httpx.get(f"{url}/{name}").raise_for_status().content)


@flow
def obvious(url: str) -> list[int]:
    return download_obvious.map(unmapped(url), list(SCRIPT)).result()


@task(
    retries=3,
    retry_delay_seconds=exponential_backoff(backoff_factor=1),
    retry_jitter_factor=0.3,
    task_run_name="{name}",
)
def download_idiom(url: str, name: str) -> Any:
    answer = httpx.get(f"{url}/{name}")
    if wait := answer.headers.get("Retry-After"):
        return AwaitingRetry(scheduled_time=datetime.now(UTC) + timedelta(seconds=int(wait)))
    return len(answer.raise_for_status().content)


@flow
def idiom(url: str) -> list[int]:
    return download_idiom.map(unmapped(url), list(SCRIPT)).result()


def test_r1_transient_fault(results: Path, source: Path, scenario: Scenario) -> None:
    seen = {pipeline: observe(pipeline, source) for pipeline in (obvious, idiom)}

    facts = seen[obvious]
    assert facts["retried_until_good"]
    assert facts["delays_grow"]
    assert not facts["jitter"]
    assert facts["retry_after_wait"] == 1
    scenario.obvious(obvious, download_obvious, **facts)
    better = seen[idiom]
    assert better["retried_until_good"]
    assert better["delays_grow"]
    assert better["jitter"]
    assert better["retry_after_wait"] == 5
    scenario.idiom(idiom, download_idiom, **better)
    scenario.finding(
        f"Prefect asked {facts['attempts']} times, after waits of {facts['delays']} s, and after a 429 it waited "
        f"{facts['retry_after_wait']} s, not 5; with `retry_jitter_factor` the waits were {better['delays']} s, and a "
        f"task that returns AwaitingRetry with a time of its own waited {better['retry_after_wait']} s."
    )


def observe(pipeline: Any, source: Path) -> dict[str, Any]:
    with scripted_source(source, SCRIPT) as http:
        end = pipeline(http.url, return_state=True)
        asked = {name: http.times(name) for name in SCRIPT}
    run = end.state_details.flow_run_id
    delays = {name: prefect.delays(prefect.task_run(name, run)) for name in SCRIPT}
    for name, times in asked.items():  # what the record says is what the source saw
        assert all(b - a >= wait for a, b, wait in zip(times, times[1:], delays[name], strict=False)), (times, delays)
    first, second = delays["planes.csv"]
    return {
        "success": end.is_completed(),
        "retried_until_good": end.is_completed() and len(asked["planes.csv"]) == 3,
        "delays_grow": second > first,
        "jitter": any(abs(a - b) > 0.02 for a, b in zip(delays["planes.csv"], delays["airports.csv"], strict=True)),
        "retry_after_honoured": delays["airlines.csv"][0] > 4.9,
        "attempts": prefect.attempts(run, 3)["planes.csv"],
        "delays": [round(first, 1), round(second, 1)],
        "retry_after_wait": round(delays["airlines.csv"][0], 1),
    }
