"""Prefect has no limit to a map's width; the records of many task runs come later than the run's end."""

from pathlib import Path
from uuid import UUID

import pytest
from prefect import flow, task

from tests.live import prefect
from tests.live.watch import until
from tests.scenario import Scenario

N = 1100


@task(task_run_name="one")
def one(n: int) -> int:
    return 1


@task(task_run_name="count")
def count(numbers: list[int]) -> int:
    return len(numbers)


@flow
def obvious(n: int) -> int:
    return count(one.map(range(n)))


@pytest.mark.slow
def test_d8_eleven_hundred_instances(results: Path, scenario: Scenario) -> None:
    end = obvious(N, return_state=True)
    run = end.state_details.flow_run_id
    with prefect.client() as api:
        flow_run = api.read_flow_run(run)
    until(lambda: completed(run) >= N + 1, 200)  # the server learns of task runs from events

    assert end.result() == N
    assert completed(run) == N + 1  # the fan-in, too
    scenario.obvious(
        obvious,
        one,
        count,
        success=flow_run.state.is_completed(),
        all_run=completed(run) == N + 1,
        fan_in_gets_all=end.result() == N,
        run_state=flow_run.state.name,
        instances=completed(run) - 1,
        limit="none",
        seconds=round((flow_run.end_time - flow_run.start_time).total_seconds(), 1),
    )
    scenario.finding(f"All {completed(run) - 1} instances ran and the fan-in got {end.result()} results, by default.")


def completed(run: UUID) -> int:
    """How many task runs of the flow run are on record as completed."""
    only = {"flow_runs": {"id": {"any_": [str(run)]}}, "task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
    with prefect.client() as api:
        return api.request("POST", "/task_runs/count", json=only).json()
