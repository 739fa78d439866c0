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
from tests.live.airflow import Engine
from tests.live.watch import alive, until
from tests.scenario import Scenario

ONCE_MORE = {"retries": 1, "retry_delay": timedelta(seconds=1)}


def wait_to_be_killed(try_number: int) -> None:
    while try_number == 1:
        time.sleep(0.1)


@dag(dag_id="r6_obvious", schedule=None)
def obvious() -> None:
    @task(**ONCE_MORE)
    def work(*, ti: Any) -> None:
        wait_to_be_killed(ti.try_number)

    work()


@dag(dag_id="r6_idiom", schedule=None)
def idiom() -> None:
    @task(**ONCE_MORE)
    def work(*, ti: Any) -> None:
        die_with_parent = 1  # PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(die_with_parent, signal.SIGKILL)
        wait_to_be_killed(ti.try_number)

    work()


obvious_dag, idiom_dag = obvious(), idiom()


def kill_command(source: Path, folder: Path) -> float:
    """Kill the pipeline's command in its first task; returns when."""
    kill = Kill(folder)
    kill.at("shared.stages.ingest:check_no_gap")
    command = [sys.executable, "-m", "airflow_impl.run", "2013-06", "--source", str(source)]
    assert subprocess.run(command, env=os.environ | kill.env, capture_output=True).returncode == -signal.SIGKILL
    return time.monotonic()


def states_of_command(home: Path) -> list[str]:
    with closing(sqlite3.connect(home / "airflow" / "airflow.db")) as database:
        (run,) = database.execute("select state from dag_run").fetchone()
        (ingest,) = database.execute("select state from task_instance where task_id = 'ingest'").fetchone()
    return [run, ingest]


@pytest.mark.live
def test_r6_killed_process(live: Engine, home: Path, source: Path, tmp_path: Path, scenario: Scenario) -> None:
    script_killed = kill_command(source, tmp_path)
    observed, orphans = {}, []
    try:
        for version in ("obvious", "idiom"):
            of_task, of_parent = (live.start(f"r6_{version}") for _ in range(2))
            orphans.append(live.process(of_parent, "work"))
            killed = {of_task: live.kill(of_task, "work"), of_parent: live.kill_parent(of_parent, "work")}
            assert [live.wait(run) for run in killed] == ["success", "success"]
            tries = {run: live.tries(run, "work") for run in killed}
            seen = [
                round((datetime.fromisoformat(tries[run][0]["end_date"]) - when).total_seconds(), 1)
                for run, when in killed.items()
            ]
            observed[version] = tries, seen, alive(orphans[-1])
            assert (live.events(of_task, "heartbeat timeout"), live.events(of_parent, "heartbeat timeout")) == (0, 1)
    finally:
        for orphan in orphans:
            with suppress(ProcessLookupError):
                os.kill(orphan, signal.SIGKILL)
    with suppress(AssertionError):  # nobody may have noticed
        until(lambda: "running" not in states_of_command(home), 60 - (time.monotonic() - script_killed))
    script = states_of_command(home)
    for record, code, version, own in (
        (scenario.obvious, [obvious], "obvious", {}),
        (
            scenario.idiom,
            [idiom],
            "idiom",
            {"own_code": "Linux's prctl: the task asks the kernel to end it with its parent."},
        ),
    ):
        tries, seen, orphan = observed[version]
        ends = [[attempt["state"] for attempt in attempts] for attempts in tries.values()]
        record(
            *code,
            success=all(end[-1] == "success" for end in ends),
            task_kill_seen=seen[0] < 60,
            parent_kill_seen=seen[1] < 60,
            script_kill_seen="running" not in script,
            started_again=all(len(end) == 2 for end in ends),
            no_orphan=not orphan,
            states={"task": ", ".join(ends[0]), "parent": ", ".join(ends[1]), "command": script[0]},
            seconds={"task": seen[0], "parent": seen[1], "command": None if "running" in script else 60},
            restarted_by="the scheduler, as a retry",
            **own,
        )
    scenario.finding(
        f"The kill of the task was on record after {observed['obvious'][1][0]} s, that of its supervisor when its "
        f"heartbeat had timed out, after {observed['obvious'][1][1]} s, and both were retried; but the dead "
        f"supervisor's task {'went on as an orphan' if observed['obvious'][2] else 'ended with it'}, and a killed "
        f"dag.test() was still {script[0]} after a minute."
    )
