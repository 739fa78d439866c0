"""Dagster: a RetryPolicy waits longer each time, with jitter; RetryRequested can wait as long as the source asks."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import dagster as dg
import httpx

from tests.faults import ScriptedSource, scripted_source
from tests.live.dagster import attempts, delays
from tests.scenario import Scenario

POLICY = dg.RetryPolicy(max_retries=3, delay=1, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
SCRIPT: dict[str, list[Any]] = {"EWR": [503, 503], "JFK": [503, 503], "LGA": [(429, {"Retry-After": "5"})]}


@dg.op(out=dg.DynamicOut())
def files() -> Iterator[dg.DynamicOutput[str]]:
    for name in SCRIPT:
        yield dg.DynamicOutput(name, mapping_key=name)


@dg.op(retry_policy=POLICY)
def download(name: str, source: dg.ResourceParam[str]) -> None:
    httpx.get(f"{source}/{name}", trust_env=False).raise_for_status()


@dg.job
def obvious() -> None:
    files().map(download)


@dg.op
def download_as_told(context: dg.OpExecutionContext, name: str, source: dg.ResourceParam[str]) -> None:
    response = httpx.get(f"{source}/{name}", trust_env=False)
    if response.status_code in (429, 503):
        told = response.headers.get("Retry-After")
        seconds = float(told) if told else POLICY.calculate_delay(context.retry_number + 1)
        raise dg.RetryRequested(POLICY.max_retries, seconds)
    response.raise_for_status()


@dg.job
def idiom() -> None:
    files().map(download_as_told)


def observe(
    result: dg.ExecuteInProcessResult, step: str, instance: dg.DagsterInstance, server: ScriptedSource
) -> dict[str, Any]:
    tried = attempts(instance, result.run_id)
    waited = {name: delays(instance, result.run_id, f"{step}[{name}]") for name in SCRIPT}
    asked = {name: server.times(name) for name in SCRIPT}
    for name, seconds in waited.items():  # the record is what the source saw: no wait was shorter
        assert all(later - sooner >= wait for (sooner, later), wait in zip(pairwise(asked[name]), seconds, strict=True))
    assert tried[f"{step}[EWR]"] == len(asked["EWR"])
    first, second = waited["EWR"]
    return {
        "success": result.success,
        "retried_until_good": len(asked["EWR"]) == 3 and result.success,
        "delays_grow": second > first,
        "jitter": waited["EWR"] != waited["JFK"],
        "retry_after_honoured": asked["LGA"][1] - asked["LGA"][0] >= 5,
        "attempts": tried[f"{step}[EWR]"],
        "delays": [round(seconds, 1) for seconds in waited["EWR"]],
        "retry_after_wait": round(waited["LGA"][0], 1),
    }


def test_r1_transient_fault(tmp_path: Path, instance: dg.DagsterInstance, scenario: Scenario) -> None:
    for name in SCRIPT:
        (tmp_path / name).touch()
    seen = {}
    for job, op in ((obvious, download), (idiom, download_as_told)):
        with scripted_source(tmp_path, SCRIPT) as server:
            result = job.execute_in_process(instance=instance, resources={"source": server.url})
            seen[job.name] = observe(result, op.name, instance, server)
    scenario.obvious(download, obvious, **seen["obvious"])
    scenario.idiom(download_as_told, idiom, **seen["idiom"])
    scenario.finding(
        f"With the RetryPolicy the file is asked for {seen['obvious']['attempts']} times, about 1 and 3 seconds apart "
        f"(2ⁿ - 1 times the delay, each more or less by up to one delay); a Retry-After of 5 seconds it does not see "
        f"(it waited {seen['obvious']['retry_after_wait']} s), RetryRequested with its value waited "
        f"{seen['idiom']['retry_after_wait']} s."
    )
