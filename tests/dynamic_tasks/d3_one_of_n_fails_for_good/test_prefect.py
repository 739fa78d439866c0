"""In Prefect a fan-in that is called on the futures does not run when one failed, and nothing says so but its state."""

from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.futures import PrefectFuture, wait

from tests.live import prefect
from tests.live.watch import until
from tests.scenario import Scenario

ITEMS = ["first", "second", "third"]


@task(task_run_name="{name}")
def train(name: str) -> str:
    if name == "second":
        raise ValueError(f"the {name} candidate can't be trained")
    return name


@task(task_run_name="count", persist_result=True)  # for the test to read
def count(trained: list[str]) -> int:
    return len(trained)


@flow
def obvious() -> int:
    return count(train.map(ITEMS))


@flow
def read() -> int:
    return count(train.map(ITEMS).result())


@flow
def idiom() -> list[PrefectFuture[str]]:
    """Waits for all, goes on with those that completed, and at the end gives back the states, the failed one's too."""
    trainings = train.map(ITEMS)
    wait(trainings)
    count([training.result() for training in trainings if training.state.is_completed()])
    return trainings


def test_d3_one_of_n_fails_for_good(results: Path, scenario: Scenario) -> None:
    plain, best, stopped = observe(obvious, 4), observe(idiom, 4), observe(read, 3)

    assert plain["run_state"] == "Completed"
    assert plain["states"] == {"count": "NotReady", "first": "Completed", "second": "Failed", "third": "Completed"}
    assert best["results"] == 2
    assert (stopped["run_state"], "count" in stopped["states"]) == ("Failed", False)
    scenario.obvious(obvious, train, count, **plain)
    scenario.idiom(idiom, train, count, **best)
    scenario.finding(
        f"With the fan-in called on the futures it stayed {plain['states']['count']} and gave None, and yet the run "
        f"was {plain['run_state']}: the failure is lost. Reading `.result()` of the map makes the run "
        f"{stopped['run_state']}, without a fan-in. Waiting, going on with the {best['results']} that completed and "
        f"returning all futures gives both, and the run is {best['run_state']}."
    )


def observe(pipeline: Any, records: int) -> dict[str, Any]:
    end = pipeline(return_state=True)
    run = end.state_details.flow_run_id
    until(lambda: len(prefect.states(run, len(ITEMS))) == records)
    # A task that has not begun bears the name that Prefect gave it, such as count-723.
    states = {name.partition("-")[0]: state for name, state in prefect.states(run).items()}
    fan_in = next((task_run for task_run in prefect.task_runs(run) if task_run.name == "count"), None)
    run_state = prefect.state(run)
    completed = bool(fan_in and fan_in.state.is_completed())
    return {
        "success": run_state.is_completed(),
        "siblings_finish": states["first"] == states["third"] == "Completed",
        "fan_in_runs": completed,
        "failure_shown": run_state.is_failed(),
        "run_state": run_state.name,
        "results": fan_in.state.result() if completed else 0,
        "states": states,
    }
