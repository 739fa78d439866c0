"""Dask gives a dead worker's candidates to another one; a run whose own process dies needs heartbeats and automations.

Three clusters, two at a time: while one waits to see that its run does not end, another one works.
"""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import psutil
import pytest
from prefect.client.schemas.objects import State, TaskRun

from prefect_impl import cluster
from prefect_impl.automation import ensure_automation
from shared.runtime.cluster import Machine
from shared.runtime.cluster import cluster as machines_of
from shared.runtime.records import RunRecord
from tests.live import prefect
from tests.live.watch import until
from tests.scale.s3_lost_worker import (
    ENDED_IN,
    FAMILIES,
    MONTH,
    NOTICED_IN,
    both_train,
    is_same,
    lose,
    settings,
    short,
    undisturbed,
)
from tests.scenario import Scenario

TRAINS, RUNS = "the one that trains only", "the one with the run's process"


class Loss(NamedTuple):
    """A run on a cluster that has lost a machine."""

    run: UUID
    machines: list[Machine]
    killed: float
    finished: set[str]


@contextmanager
def losing(folder: Path, source: Path, of_run: bool, idiom: bool) -> Iterator[Loss]:
    """Run the pipeline, and lose the worker that has the run's process, or the other one."""
    with ExitStack() as stack:
        engine, machines = stack.enter_context(machines_of(folder, 2, cluster.running))
        if idiom:
            stack.enter_context(prefect.crash_silent("late-flights"))
        engine.start(MONTH, settings("prefect", source))
        run = until(lambda: runs())[0]
        until(lambda: both_train(machines[1:]) and waiting_ones(run) == 2)
        finished = {found.name for found in candidates(run) if found.state_name == "Completed"}
        assert finished
        if idiom:  # only who has been heard of can fall silent
            until(lambda: prefect.events("prefect.flow-run.heartbeat", run))
        home = psutil.Process(prefect.pid(run)).environ()["TRIPTYCH_HOME"]
        (machine,) = (worker for worker in machines[1:] if (str(worker.folder) == home) == of_run)
        yield Loss(run, machines, lose(machine), finished)


def runs() -> list[UUID]:
    with prefect.client() as api:
        return [run.id for run in api.read_flow_runs()]


def candidates(run: UUID) -> list[TaskRun]:
    return [found for found in prefect.task_runs(run) if "/" in found.name]


def waiting_ones(run: UUID) -> int:
    return sum(found.name.endswith(FAMILIES[1]) and found.state_name == "Running" for found in candidates(run))


def observe(loss: Loss, expected: RunRecord) -> dict[str, Any]:
    """What Prefect's records say when the run has ended, or when its time is over."""
    run, killed = loss.run, loss.killed
    until(lambda: prefect.state(run).is_completed() or time.time() > killed + ENDED_IN, ENDED_IN + 10)
    state = prefect.state(run)
    success = state.is_completed()
    attempts, signs = Counter[str](), [each.timestamp for each in prefect.history(run) if each.is_crashed()]
    for task_run in candidates(run):
        states = states_of(task_run)
        begun = [each.timestamp for each in states if each.is_running()]
        attempts[short(task_run.name)] += len(begun) - sum(each.name == "Cached" for each in states)
        signs += begun[1:]
    return {
        "success": success,
        "same": success and is_same(expected, "prefect", loss.machines),
        "only_the_lost": all(attempts[short(name)] == 1 for name in loss.finished),
        "seconds": round(min(signs).timestamp() - killed, 1) if signs else None,
        "run_state": state.name,
        "attempts": dict(attempts),
    }


def states_of(task_run: TaskRun) -> list[State]:
    """All states that the task run has had, in time: it may have none that is final."""
    with prefect.client() as api:
        return sorted(api.read_task_run_states(task_run.id), key=lambda state: state.timestamp)


def answers(seen: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Answers and facts: what is true whichever worker was lost."""
    return {
        "success": all(one["success"] for one in seen.values()),
        "noticed": all((one["seconds"] or NOTICED_IN + 1) <= NOTICED_IN for one in seen.values()),
        "finished": all(one["success"] for one in seen.values()),
        "same_champion": all(one["same"] for one in seen.values()),
        "only_the_lost": all(one["only_the_lost"] for one in seen.values()),
        **{fact: {lost: one[fact] for lost, one in seen.items()} for fact in ("seconds", "run_state", "attempts")},
    }


@pytest.mark.live
@pytest.mark.own_engine
@pytest.mark.timeout(1800)
def test_s3_lost_worker(home: Path, source: Path, tmp_path: Path, scenario: Scenario) -> None:
    expected = undisturbed(home, source)
    with losing(tmp_path / "run", source, of_run=True, idiom=False) as run:
        with losing(tmp_path / "other", source, of_run=False, idiom=False) as other:
            trains = observe(other, expected)  # Dask's doing: the automation has no part in it
        with losing(tmp_path / "run, idiom", source, of_run=True, idiom=True) as silent:
            crashed = observe(silent, expected)
        stuck = observe(run, expected)
    plain, watched = answers({TRAINS: trains, RUNS: stuck}), answers({TRAINS: trains, RUNS: crashed})
    assert plain["run_state"] == {TRAINS: "Completed", RUNS: "Running"}
    assert watched["same_champion"], watched
    assert watched["only_the_lost"], watched
    dask = "Dask's scheduler, on the other worker"
    scenario.obvious(
        cluster.deploy, cluster.dask_worker, cluster.worker,
        **plain,
        restarted_by={TRAINS: dask, RUNS: "nobody"},
    )  # fmt: skip
    scenario.idiom(
        prefect.crash_silent, ensure_automation,
        **watched,
        restarted_by={TRAINS: dask, RUNS: "an automation, through the other worker"},
    )  # fmt: skip
    seconds = watched["seconds"]
    again = "the rest of the candidates" if watched["only_the_lost"] else "what had finished, too,"
    scenario.finding(
        f"What a worker trains when it dies, Dask has trained by the other one, after {seconds[TRAINS]:.0f} s. But the "
        f"run's own process is on a worker, too: four minutes after that one had died the run was "
        f"{plain['run_state'][RUNS]}. With heartbeats (30 s, by default 180 s) an automation had made it Crashed after "
        f"{seconds[RUNS]:.0f} s, another one had it run again, and {again} was trained."
    )
