"""In Prefect the running flow decides how many task runs a `.map` has; there is no graph beforehand."""

from pathlib import Path

from prefect import flow, task

from tests.live import prefect
from tests.scenario import Scenario

WIDTHS = (1, 9, 100, 0)


@task(task_run_name="items")
def items(n: int) -> list[int]:
    return list(range(n))


@task(task_run_name="square")
def square(n: int) -> int:
    return n * n


@task(task_run_name="total")
def total(numbers: list[int]) -> int:
    return sum(numbers)


@flow
def obvious(n: int) -> int:
    return total(square.map(items(n)))


def test_d1_width_known_at_run_time(results: Path, scenario: Scenario) -> None:
    ends = {n: obvious(n, return_state=True) for n in WIDTHS}
    runs = {n: prefect.task_runs(end.state_details.flow_run_id, n + 2) for n, end in ends.items()}
    instances = {n: sum(run.name == "square" for run in runs[n]) for n in WIDTHS}
    state_of_none = next(run.state_name for run in runs[0] if run.name == "total")

    assert {n: end.result() for n, end in ends.items()} == {n: sum(i * i for i in range(n)) for n in WIDTHS}
    assert instances == {n: n for n in WIDTHS}
    assert state_of_none == "Completed"
    scenario.obvious(
        obvious,
        items,
        square,
        total,
        success=all(end.is_completed() for end in ends.values()),
        one_instance_an_item=all(instances[n] == n for n in WIDTHS if n),
        fan_in_runs_for_none=state_of_none == "Completed",
        instances=list(instances.values()),
        state_of_none=state_of_none,
    )
    scenario.finding(
        f"A map over 1, 9 and 100 items made {instances[1]}, {instances[9]} and {instances[100]} task runs; over none "
        f"it made {instances[0]}, and the fan-in was {state_of_none} on an empty list."
    )
