"""Candidates are threads of one process in Prefect: when it dies, an automation starts the run again from its cache."""

import os
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import flow, task, unmapped
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner

from tests.live import prefect
from tests.live.watch import until
from tests.scenario import Scenario

CANDIDATES = ["first", "second", "third", "fourth"]
BUSY = {"first": "Completed", "second": "Running", "third": "Running"}


@task(retries=1, task_run_name="{name}")
def train(name: str, folder: str) -> str:
    """The first one ends at once; the others wait until the test lets them go on."""
    Path(folder, f"{name}.{os.getpid()}").touch()
    if name != "first":
        until(Path(folder, "go").exists, 300)
    return name


@task(task_run_name="fan-in")
def fan_in(trained: list[str]) -> int:
    return len(trained)


def fan_out(folder: str) -> int:
    trainings = train.map(CANDIDATES, unmapped(folder))
    wait(trainings)
    return fan_in([training.result() for training in trainings if training.state.is_completed()])


@flow(retries=1, task_runner=ThreadPoolTaskRunner(max_workers=2))
def train_obvious(folder: str) -> int:
    return fan_out(folder)


@flow(persist_result=True, task_runner=ThreadPoolTaskRunner(max_workers=2))
def train_idiom(folder: str) -> int:
    """With an automation that schedules a Crashed run again; the results of what had finished are kept."""
    return fan_out(folder)


@pytest.mark.live
@pytest.mark.timeout(900)
@prefect.again_if_the_database_was_locked
def test_r7_killed_in_mid_fan_out(tmp_path: Path, scenario: Scenario) -> None:
    plain = observe(train_obvious, tmp_path / "obvious", "Crashed")
    with prefect.rerun_crashed("train-idiom", retries=1):
        rerun = observe(train_idiom, tmp_path / "idiom", "Completed")

    assert not plain["none_lost_after_task_kill"]
    assert rerun["none_lost_after_task_kill"]
    assert rerun["none_lost_after_run_kill"]
    assert rerun["attempts"]["run"] == {"first": 1, "second": 2, "third": 2, "fourth": 1, "fan-in": 1}
    scenario.obvious(train_obvious, fan_out, train, fan_in, **plain)
    scenario.idiom(train_idiom, fan_out, train, fan_in, prefect.rerun_crashed, **rerun)
    tries = rerun["attempts"]["task"]
    scenario.finding(
        "A candidate runs in the run's own process, and the retries of task and flow die with that: retried by "
        f"{plain['retried_by']}. With persisted results and {rerun['retried_by']}, all {rerun['results']['task']} "
        f"results came to the fan-in, after {tries['first']} try of the first candidate and {tries['second']} of the "
        "second."
    )


def observe(pipeline: Any, folder: Path, end: str) -> dict[str, Any]:
    """Kill the second candidate's process in one run, and the run's process in another one."""
    runs = {}
    for kill in ("task", "run"):
        (folder / kill).mkdir(parents=True)
        run = runs[kill] = prefect.start(pipeline, prefect.pool(), folder=str(folder / kill))
        until(lambda run=run: prefect.states(run).items() >= BUSY.items())
        candidate = next((folder / kill).glob("second.*"))
        prefect.kill(int(candidate.suffix[1:]) if kill == "task" else prefect.pid(run))
        until(lambda run=run: any(state.is_crashed() for state in prefect.history(run)))
        (folder / kill / "go").touch()
        prefect.wait(run, end)
    results = {kill: result(run) for kill, run in runs.items()}
    attempts = {kill: prefect.attempts(run) for kill, run in runs.items()}
    retries = [sum(state.name == "AwaitingRetry" for state in prefect.history(run)) for run in runs.values()]
    return {
        "success": all(prefect.state(run).is_completed() for run in runs.values()),
        **{f"none_lost_after_{kill}_kill": results[kill] == len(CANDIDATES) for kill in runs},
        "finished_not_repeated": all(tries["first"] == 1 for tries in attempts.values()),
        "results": results,
        "attempts": attempts,
        "retried_by": f"an automation, {retries[0]} and {retries[1]} times" if any(retries) else "nothing",
    }


def result(run: UUID) -> int | None:
    """What the flow returned: the number of results that the fan-in got."""
    state = prefect.state(run)
    return state.result() if state.is_completed() else None
