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
FAULTS = ["wait", "c_call"]


def wait_in_python(folder: str) -> None:
    Path(folder, "wait").write_text(str(os.getpid()))
    time.sleep(600)


def call_into_c(folder: str) -> None:
    Path(folder, "c_call").write_text(str(os.getpid()))
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000_000)  # a quarter of an hour, like a model's fit


@dag(dag_id="r4_obvious", schedule=None)
def obvious() -> None:
    @task(execution_timeout=LIMIT)
    def wait(*, params: dict[str, Any]) -> None:
        wait_in_python(params["folder"])

    @task(execution_timeout=LIMIT)
    def c_call(*, params: dict[str, Any]) -> None:
        call_into_c(params["folder"])

    wait()
    c_call()


@dag(dag_id="r4_idiom", schedule=None, dagrun_timeout=LIMIT)
def idiom() -> None:
    @task
    def wait(*, params: dict[str, Any]) -> None:
        wait_in_python(params["folder"])

    @task
    def c_call(*, params: dict[str, Any]) -> None:
        call_into_c(params["folder"])

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
    raise AssertionError("no run's tasks had begun within its limit")


def watch(live: Engine, run: Run, pids: dict[str, int]) -> tuple[dict[str, str], dict[str, float | None], list[str]]:
    """States, seconds from start to end, and what still runs, when all is over or 15 seconds have passed."""
    began = {fault: datetime.fromisoformat(live.tasks(run)[fault]["start_date"]) for fault in pids}
    deadline = max(began.values()) + IN_TIME
    until(lambda: not any(map(alive, pids.values())) or datetime.now(UTC) > deadline)
    ends = {fault: task["end_date"] or live.get(path_of(run))["end_date"] for fault, task in live.tasks(run).items()}
    seconds = {
        fault: round((datetime.fromisoformat(end) - began[fault]).total_seconds(), 1) if end else None
        for fault, end in ends.items()
    }
    return live.states(run) | {"run": live.state(run)}, seconds, [fault for fault in FAULTS if alive(pids[fault])]


@pytest.mark.live
def test_r4_hung_task(live: Engine, tmp_path: Path, scenario: Scenario) -> None:
    run, pids = hang(live, "r4_idiom", tmp_path)
    by_run = watch(live, run, pids)
    assert live.events(run, "heartbeat timeout") == 0  # it was the run's limit
    run, pids = hang(live, "r4_obvious", tmp_path)
    by_task = watch(live, run, pids)
    assert live.events(run, "heartbeat timeout") == 0
    live.mark(run, "c_call", "failed")  # as a person does
    until(lambda: not alive(pids["c_call"]))
    assert live.wait(run) == "failed"

    ended_by_task = {fault: by_task[0][fault] == "failed" and fault not in by_task[2] for fault in FAULTS}
    ended_by_run = {fault: by_run[0]["run"] == "failed" and fault not in by_run[2] for fault in FAULTS}
    scenario.obvious(
        obvious,
        success=by_task[0]["run"] == "success",
        wait_ended_by_task_limit=ended_by_task["wait"],
        wait_ended_by_run_limit=obvious_dag.dagrun_timeout is not None,
        c_call_ended=ended_by_task["c_call"],
        states={"task limit": by_task[0]},
        seconds={"task limit": by_task[1]},
        left_running=", ".join(by_task[2]) or "none",
    )
    scenario.idiom(
        idiom,
        obvious,
        success=by_run[0]["run"] == "success",
        wait_ended_by_task_limit=ended_by_task["wait"],
        wait_ended_by_run_limit=ended_by_run["wait"],
        c_call_ended=ended_by_run["c_call"],
        states={"task limit": by_task[0], "run limit": by_run[0]},
        seconds={"task limit": by_task[1], "run limit": by_run[1]},
        left_running=", ".join(by_run[2]) or "none",
    )
    scenario.finding(
        f"execution_timeout ended the Python wait after {by_task[1]['wait']} s, but the call into C was still "
        f"{by_task[0]['c_call']} after {IN_TIME.seconds} s; with dagrun_timeout the run is {by_run[0]['run']}, its "
        f"tasks are {by_run[0]['c_call']}, and their supervisors killed both processes in time."
    )
