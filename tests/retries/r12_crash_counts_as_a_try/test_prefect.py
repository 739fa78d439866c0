"""Prefect counts `retries` in the run's own process; what happens to a Crashed run, an automation decides."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, task

from tests.live import prefect
from tests.live.watch import until
from tests.scenario import Scenario


@task(retries=2, task_run_name="crash")
def crash(file: str) -> None:
    with Path(file).open("a") as starts:
        starts.write("started\n")
    os.kill(os.getpid(), signal.SIGKILL)


@flow(retries=2)
def crash_obvious(file: str) -> None:
    crash(file)


@flow
def crash_idiom(file: str) -> None:
    """With an automation that schedules a Crashed run again, as long as its run_count is 1 or 2."""
    crash(file)


@flow
def after(file: str) -> None:
    """Runs when the worker has dealt with all that was scheduled before."""


@pytest.mark.live
@pytest.mark.timeout(900)
@prefect.again_if_the_database_was_locked
def test_r12_crash_counts_as_a_try(tmp_path: Path, scenario: Scenario) -> None:
    plain = observe(crash_obvious, tmp_path / "obvious")
    with prefect.rerun_crashed("crash-idiom", retries=2):
        rerun = observe(crash_idiom, tmp_path / "idiom", crashes=3)

    assert plain["starts"] == 1
    assert rerun["starts"] == 3
    scenario.obvious(crash_obvious, crash, **plain)
    scenario.idiom(crash_idiom, prefect.rerun_crashed, **rerun)
    scenario.finding(
        f"The retries of task and flow die with the process: it was started {plain['starts']} time, then the run was "
        f"{plain['run_state']}. With an automation that schedules a run again if its run count is 1 or 2 it was "
        f"started {rerun['starts']} times, then the run was {rerun['run_state']}."
    )


def observe(pipeline: Any, file: Path, crashes: int = 1) -> dict[str, Any]:
    run = prefect.start(pipeline, prefect.pool(), file=str(file))
    until(lambda: len(prefect.events("prefect.worker.executed-flow-run", run)) >= crashes)
    prefect.wait(prefect.start(after, prefect.pool(), file=str(file)))
    state, starts = prefect.state(run), len(file.read_text().splitlines())
    with prefect.client() as api:
        attempts = api.read_flow_run(run).run_count
    return {
        "success": state.is_completed(),
        "bounded": state.is_final(),
        "counts_as_try": starts == 3,
        "gives_up_as_failed": state.is_failed() or state.is_crashed(),
        "starts": starts,
        "attempts": attempts,
        "run_state": state.name,
    }
