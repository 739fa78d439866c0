"""A time-out of Prefect interrupts Python by a signal in the main thread; a thread of the task runner goes on."""

import hashlib
import subprocess
import sys
import time
from typing import Any
from uuid import UUID

import pytest
from prefect import flow, task

from tests.live import prefect
from tests.live.watch import alive, until
from tests.scenario import Scenario

ITERATIONS = 10**9  # minutes in one call into C
CALL = f"import hashlib; hashlib.pbkdf2_hmac('sha256', b'', b'', {ITERATIONS})"


def hang(fault: str) -> None:
    if fault == "wait":
        time.sleep(60)
    elif fault == "C call":
        hashlib.pbkdf2_hmac("sha256", b"", b"", ITERATIONS)
    else:  # the idiom: a process of its own, which subprocess.run kills when the time-out interrupts it
        subprocess.run([sys.executable, "-c", CALL], check=True)


@flow
def task_limit(fault: str) -> None:
    task(hang, timeout_seconds=2)(fault)


@flow(timeout_seconds=2)
def run_limit(fault: str) -> None:
    task(hang)(fault)


@flow
def task_limit_in_a_thread(fault: str) -> None:
    task(hang, timeout_seconds=2).submit(fault).result()


@pytest.mark.live
def test_r4_hung_task(scenario: Scenario) -> None:
    seen = {
        fault: observe({f"{fault}, {limit.name.replace('-', ' ')}": (limit, fault) for limit in limits})
        for fault, limits in {
            "wait": [task_limit, run_limit, task_limit_in_a_thread],
            "C call": [task_limit, run_limit],
            "C call in a process": [task_limit, run_limit],
        }.items()
    }
    obvious, idiom = answers(seen["wait"], seen["C call"]), answers(seen["wait"], seen["C call in a process"])

    assert obvious["wait_ended_by_task_limit"]
    assert obvious["wait_ended_by_run_limit"]
    assert not obvious["c_call_ended"]
    assert idiom["c_call_ended"]
    assert obvious["seconds"]["wait, task limit in a thread"] is None
    scenario.obvious(task_limit, run_limit, hang, success=False, **obvious)
    own = "a process of its own for the call into C, which the task starts and the time-out's interrupt kills"
    scenario.idiom(task_limit, run_limit, hang, success=False, own_code=own, **idiom)
    scenario.finding(
        f"A limit of 2 s ended a Python wait in the main thread after {obvious['seconds']['wait, task limit']} s (the "
        f"task's limit) and {obvious['seconds']['wait, run limit']} s (the run's). In a thread, where `.submit` and "
        f"`.map` run a task, it was still {obvious['states']['wait, task limit in a thread']['task']} after 15 s; so "
        f"was a call into C ({obvious['states']['C call, task limit']['task']}), which was ended after "
        f"{idiom['seconds']['C call in a process, task limit']} s in a process of its own."
    )


def observe(cases: dict[str, tuple[Any, str]]) -> dict[str, dict[str, Any]]:
    """Run all cases at once, each in a process of the worker's; what is on record 15 seconds after each's start."""
    runs = {case: prefect.start(limit, prefect.pool(), fault=fault) for case, (limit, fault) in cases.items()}
    return {case: look(run) for case, run in runs.items()}


def look(run: UUID) -> dict[str, Any]:
    hung = until(lambda: next((found for found in prefect.task_runs(run) if found.start_time), None))
    deadline, pid = hung.start_time.timestamp() + 15, prefect.pid(run)
    until(lambda: (prefect.state(run).is_final() and not alive(pid)) or time.time() > deadline)
    state, left = prefect.state(run), alive(pid)
    ended = (state.timestamp - hung.start_time).total_seconds() if state.is_final() else None
    (hung,) = prefect.task_runs(run)
    if left:
        prefect.kill(pid)
        prefect.wait(run)
    return {
        "states": {"task": hung.state_name, "run": state.name},
        "seconds": None if ended is None else round(ended, 1),
        "left_running": "the run's process" if left else "none",
    }


def answers(wait: dict[str, dict[str, Any]], call: dict[str, dict[str, Any]]) -> dict[str, Any]:
    seen = wait | call
    in_time = {case: facts["seconds"] is not None and facts["left_running"] == "none" for case, facts in seen.items()}
    return {
        "wait_ended_by_task_limit": in_time["wait, task limit"],
        "wait_ended_by_run_limit": in_time["wait, run limit"],
        "c_call_ended": any(in_time[case] for case in call),
        **{fact: {case: facts[fact] for case, facts in seen.items()} for fact in ("states", "seconds", "left_running")},
    }
