"""Dagster: each mapped step has attempts of its own, and the fan-in waits for the last of them."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import httpx

from tests.faults import scripted_source
from tests.live.dagster import attempts
from tests.scenario import Scenario

ORIGINS = ("EWR", "JFK", "LGA")


@dg.op(out=dg.DynamicOut())
def origins() -> Iterator[dg.DynamicOutput[str]]:
    for origin in ORIGINS:
        yield dg.DynamicOutput(origin, mapping_key=origin)


@dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
def fetch(origin: str, source: dg.ResourceParam[str]) -> str:
    httpx.get(f"{source}/{origin}", trust_env=False).raise_for_status()
    return origin


@dg.op
def gather(fetched: list[str]) -> list[str]:
    return fetched


@dg.job
def obvious() -> None:
    gather(origins().map(fetch).collect())


def test_r3_retry_one_mapped_instance(instance: dg.DagsterInstance, tmp_path: Path, scenario: Scenario) -> None:
    for origin in ORIGINS:
        (tmp_path / origin).touch()
    with scripted_source(tmp_path, {"JFK": [503]}) as server:
        result = obvious.execute_in_process(instance=instance, resources={"source": server.url})
        requests = {origin: len(server.times(origin)) for origin in ORIGINS}
    tried = attempts(instance, result.run_id)
    got = result.output_for_node("gather")
    fetches = {origin: tried[f"fetch[{origin}]"] for origin in ORIGINS}
    assert fetches == requests
    scenario.obvious(
        fetch,
        obvious,
        success=result.success,
        only_that_one=fetches == {"EWR": 1, "JFK": 2, "LGA": 1},
        fan_in_gets_all=got == list(ORIGINS),
        attempts=tried,
        results=got,
    )
    scenario.finding(
        f"Only fetch[JFK] is tried {fetches['JFK']} times, its siblings once, and the fan-in gets {len(got)} results."
    )
