"""In Prefect each mapped instance is a task run of its own, with retries of its own."""

from pathlib import Path

import httpx
from prefect import flow, task, unmapped

from tests.faults import scripted_source
from tests.live import prefect
from tests.scenario import Scenario

NAMES = ["airlines.csv", "airports.csv", "planes.csv"]


@task(retries=1, task_run_name="{name}")
def download(url: str, name: str) -> int:
    return len(httpx.get(f"{url}/{name}").raise_for_status().content)


@task(task_run_name="count")
def count(sizes: list[int]) -> int:
    return len(sizes)


@flow
def obvious(url: str) -> int:
    return count(download.map(unmapped(url), NAMES))


def test_r3_retry_one_mapped_instance(results: Path, source: Path, scenario: Scenario) -> None:
    with scripted_source(source, {"airports.csv": [503]}) as http:
        end = obvious(http.url, return_state=True)
        asked = {name: len(http.times(name)) for name in NAMES}
    run = end.state_details.flow_run_id
    attempts = prefect.attempts(run, 4)
    states = [state.name for state in prefect.task_history(prefect.task_run("airports.csv", run))]

    assert {name: attempts[name] for name in NAMES} == asked
    assert states == ["Pending", "Running", "Retrying", "Completed"]
    assert end.result() == 3
    scenario.obvious(
        obvious,
        download,
        count,
        success=end.is_completed(),
        only_that_one=[attempts[name] for name in NAMES] == [1, 2, 1],
        fan_in_gets_all=end.result() == 3,
        attempts=attempts,
        results=end.result(),
    )
    scenario.finding(
        f"In Prefect the failed instance went from {' to '.join(states)}, in {attempts['airports.csv']} tries; each of "
        f"its siblings ran {attempts['planes.csv']} time, and the fan-in got {end.result()} results."
    )
