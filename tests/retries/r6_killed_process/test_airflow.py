"""Airflow sees a task's process die at once and a dead supervisor by its heartbeat; nobody watches a dag.test()."""

import ctypes
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import dag, task

from tests.faults import Kill
from tests.live.airflow import Engine, sigkill
from tests.live.watch import alive, parent, until
from tests.scenario import Scenario

ONCE_MORE = {"retries": 1, "retry_delay": timedelta(seconds=1)}


def wait_to_be_killed(ti: Any) -> None:
    ti.xcom_push(key="pid", value=os.getpid())
    while ti.try_number == 1:
        time.sleep(0.1)


@dag(dag_id="r6_obvious", schedule=None)
def obvious() -> None:
    @task(**ONCE_MORE)
    def work(*, ti: Any) -> None:
        wait_to_be_killed(ti)

    work()


@dag(dag_id="r6_idiom", schedule=None)
def idiom() -> None:
    @task(**ONCE_MORE)
    def work(*, ti: Any) -> None:
        die_with_parent = 1  # PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(die_with_parent, signal.SIGKILL)
        wait_to_be_killed(ti)

    work()


obvious_dag, idiom_dag = obvious(), idiom()


def observe(live: Engine, dag_id: str) -> dict[str, Any]:
    """Kill the task of one run and the supervisor of another; what the record says then, and whether the task lives."""
    runs = {"task": live.start(dag_id), "parent": live.start(dag_id)}
    pids = {victim: until(lambda run=run: live.result(run, "work", "pid")) for victim, run in runs.items()}
    killed = {"task": sigkill(pids["task"]), "parent": sigkill(parent(pids["parent"]))}
    try:
        states = [live.wait(run) for run in runs.values()]
        orphan = alive(pids["parent"])
    finally:
        with suppress(ProcessLookupError):
            sigkill(pids["parent"])
    tries = {victim: live.tries(run, "work") for victim, run in runs.items()}
    ends = {victim: datetime.fromisoformat(first["end_date"]) for victim, (first, *_) in tries.items()}
    seconds = {victim: round((ends[victim] - killed[victim]).total_seconds(), 1) for victim in runs}
    assert [live.events(run, "heartbeat timeout") for run in runs.values()] == [0, 1]
    return {
        "success": states == ["success", "success"],
        "task_kill_seen": seconds["task"] < 120,
        "parent_kill_seen": seconds["parent"] < 120,
        "started_again": all(len(attempts) == 2 for attempts in tries.values()),
        "no_orphan": not orphan,
        "states": {victim: ", then ".join(one["state"] for one in attempts) for victim, attempts in tries.items()},
        "seconds": seconds,
        "restarted_by": "the scheduler, as a retry",
    }


def kill_command(source: Path, folder: Path) -> float:
    """Kill the pipeline's command, which is a dag.test(), in its first task; returns when."""
    kill = Kill(folder)
    kill.at("shared.stages.ingest:check_no_gap")
    command = [sys.executable, "-m", "airflow_impl.run", "2013-06", "--source", str(source)]
    assert subprocess.run(command, env=os.environ | kill.env, capture_output=True).returncode == -signal.SIGKILL
    return time.monotonic()


def state_of_command(home: Path) -> str:
    with closing(sqlite3.connect(home / "airflow" / "airflow.db")) as database:
        return str(database.execute("select state from dag_run").fetchone()[0])


@pytest.mark.live
def test_r6_killed_process(live: Engine, home: Path, source: Path, tmp_path: Path, scenario: Scenario) -> None:
    killed = kill_command(source, tmp_path)
    plain, bound = observe(live, "r6_obvious"), observe(live, "r6_idiom")
    until(lambda: state_of_command(home) != "running" or time.monotonic() > killed + 120)
    command = state_of_command(home)
    for observed in (plain, bound):
        observed["script_kill_seen"] = command != "running"
        observed["states"]["command"] = command
        observed["seconds"]["command"] = None if command == "running" else 120
    scenario.obvious(obvious, **plain)
    scenario.idiom(idiom, own_code="Linux's prctl: the kernel ends the task when its parent dies.", **bound)
    scenario.finding(
        f"The kill of a task was on record after {plain['seconds']['task']} s, that of its supervisor, when its "
        f"heartbeat had timed out, after {plain['seconds']['parent']} s, and both were retried; but the dead "
        f"supervisor's task {'ended with it' if plain['no_orphan'] else 'went on as an orphan'}, and a killed "
        f"dag.test() was still {command} after two minutes."
    )
