"""In Prefect a loop is a plain `while`; each round is a task run, wired to the one before."""

from pathlib import Path

from prefect import flow, task

from tests.live import prefect
from tests.scenario import Scenario


@task(task_run_name="improve {error}")
def improve(error: float) -> float:
    return error / 2


@flow
def obvious(error: float, good: float) -> float:
    while error > good:
        error = improve(error)
    return error


def test_d5_loop_until_good_enough(results: Path, scenario: Scenario) -> None:
    end = obvious(1.0, 0.1, return_state=True)
    states = prefect.states(end.state_details.flow_run_id, 4)

    assert end.result() == 0.0625
    assert states == {f"improve {error}": "Completed" for error in (1.0, 0.5, 0.25, 0.125)}
    scenario.obvious(
        obvious,
        improve,
        success=end.is_completed(),
        loops=end.result() <= 0.1 < 2 * end.result(),
        rounds_recorded=len(states) == 4,
        rounds=len(states),
        records=f"{len(states)} task runs",
        refusal="none",
    )
    scenario.finding(f"A `while` in the flow ended by itself after {len(states)} rounds, each a task run of its own.")
