"""Airflow's execution_timeout is a signal that Python must handle; dagrun_timeout lets the supervisor kill the task."""

import hashlib
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import dag, task

from tests.live.airflow import Engine, Run, path_of
from tests.live.watch import alive, until
from tests.scenario import Scenario

LIMIT = timedelta(seconds=2)
IN_TIME = timedelta(seconds=15)


@task
def wait(*, params: dict[str, Any]) -> None:
    Path(params["folder"], "wait").write_text(str(os.getpid()))
    time.sleep(600)


@task
def c_call(*, params: dict[str, Any]) -> None:
    Path(params["folder"], "c_call").write_text(str(os.getpid()))
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000_000)  # many minutes in one call, like a model's fit


@dag(dag_id="r4_obvious", schedule=None, default_args={"execution_timeout": LIMIT})
def obvious() -> None:
    wait()
    c_call()


@dag(dag_id="r4_idiom", schedule=None, dagrun_timeout=LIMIT)
def idiom() -> None:
    wait()
    c_call()


obvious_dag, idiom_dag = obvious(), idiom()


def hang(live: Engine, dag_id: str, folder: Path) -> tuple[Run, dict[str, int]]:
    """A run both of whose tasks hang, and their processes; the run's limit may be over before they have begun."""
    for number in range(5):
        place = folder / f"{dag_id} {number}"
        place.mkdir()
        run = live.start(dag_id, {"folder": str(place)})
        until(lambda: len(list(place.iterdir())) == 2 or live.state(run) == "failed")  # noqa: B023
        if len(pids := {file.name: int(file.read_text()) for file in place.iterdir()}) == 2:
            return run, pids
    raise AssertionError(f"no run of {dag_id} had begun both tasks within its limit")


def observe(live: Engine, dag_id: str, folder: Path) -> tuple[dict[str, str], dict[str, float | None], list[str]]:
    """States, seconds from start to end, and what still runs, when all is over or 15 seconds have passed."""
    run, pids = hang(live, dag_id, folder)
    began = {fault: datetime.fromisoformat(live.tasks(run)[fault]["start_date"]) for fault in pids}
    until(lambda: not any(map(alive, pids.values())) or datetime.now(UTC) > max(began.values()) + IN_TIME)
    left = [fault for fault, pid in pids.items() if alive(pid)]
    states = live.states(run) | {"run": live.state(run)}
    ends = {fault: task["end_date"] or live.get(path_of(run))["end_date"] for fault, task in live.tasks(run).items()}
    seconds = {
        fault: round((datetime.fromisoformat(end) - began[fault]).total_seconds(), 1) if end else None
        for fault, end in ends.items()
    }
    assert live.events(run, "heartbeat timeout") == 0  # the limits have ended what has ended
    for fault in left:
        live.mark(run, fault, "failed")  # as a person does
        until(lambda: not alive(pids[fault]))  # noqa: B023
    return states, seconds, left


@pytest.mark.live
def test_r4_hung_task(live: Engine, tmp_path: Path, scenario: Scenario) -> None:
    states, seconds, left = observe(live, "r4_obvious", tmp_path)
    run_states, run_seconds, run_left = observe(live, "r4_idiom", tmp_path)
    wait_ended_by_task_limit = states["wait"] == "failed" and "wait" not in left
    scenario.obvious(
        obvious,
        success=states["run"] == "success",
        wait_ended_by_task_limit=wait_ended_by_task_limit,
        wait_ended_by_run_limit=obvious_dag.dagrun_timeout is not None,
        c_call_ended=states["c_call"] != "running" and "c_call" not in left,
        states={"task limit": states},
        seconds={"task limit": seconds},
        left_running=", ".join(left) or "none",
    )
    scenario.idiom(
        idiom,
        obvious,
        success=run_states["run"] == "success",
        wait_ended_by_task_limit=wait_ended_by_task_limit,
        wait_ended_by_run_limit=run_states["run"] == "failed" and "wait" not in run_left,
        c_call_ended=run_states["run"] == "failed" and "c_call" not in run_left,
        states={"task limit": states, "run limit": run_states},
        seconds={"task limit": seconds, "run limit": run_seconds},
        left_running=", ".join(run_left) or "none",
    )
    scenario.finding(
        f"execution_timeout ended the Python wait after {seconds['wait']} s, but the call into C was still "
        f"{states['c_call']} after {IN_TIME.seconds} s. With dagrun_timeout the run was {run_states['run']} and its "
        f"tasks were {run_states['c_call']}; of their processes {' and '.join(run_left) or 'none'} was left."
    )
