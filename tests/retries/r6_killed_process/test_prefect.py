"""A worker sees its runs die, heartbeats tell of the others, and an automation acts on both."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import flow, task

from shared.runtime import servers
from shared.settings import ROOT
from tests.live import prefect
from tests.live.watch import alive, until
from tests.scenario import Scenario


@task(retries=1, task_run_name="wait")
def wait_for_go(folder: str) -> None:
    Path(folder, f"{os.getpid()}.pid").touch()
    until(Path(folder, "go").exists, 600)


@flow(retries=1)
def wait_obvious(folder: str) -> None:
    wait_for_go(folder)


@flow(retries=1)
def wait_idiom(folder: str) -> None:
    """Heartbeats that stop make a run Crashed, and an automation schedules a Crashed run again."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: end when the worker does
    wait_for_go(folder)


CASES = ("task", "parent", "script")
OWN_CODE = "a run's process asks the kernel to end it when its worker dies (PR_SET_PDEATHSIG)"


@pytest.mark.live
@pytest.mark.timeout(1800)
@prefect.again_if_the_database_was_locked
def test_r6_killed_process(tmp_path: Path, scenario: Scenario) -> None:
    flows, url = (wait_obvious, wait_idiom), prefect.server()
    with prefect.crash_silent("wait-idiom"), prefect.rerun_crashed("wait-idiom", retries=1):
        with prefect.worker(url, "doomed", tmp_path) as worker:
            pids = {pipeline: begin(pipeline, tmp_path / pipeline.name) for pipeline in flows}
            for case in CASES:  # only who has been heard of can fall silent
                run = prefect.run_with({"folder": str(tmp_path / "wait-idiom" / case)})
                until(lambda run=run: prefect.events("prefect.flow-run.heartbeat", run))
            killed = time.time()
            for pid in (worker, *(pids[pipeline][case] for pipeline in flows for case in ("task", "script"))):
                prefect.kill(pid)
            until(lambda: not alive(pids[wait_idiom]["parent"]))
            orphans = {pipeline: alive(pids[pipeline]["parent"]) for pipeline in flows}
            for pipeline in flows:
                if orphans[pipeline]:
                    prefect.kill(pids[pipeline]["parent"])
        with prefect.worker(url, "doomed", tmp_path):  # as whatever looks after the worker would start it again
            rerun = observe(tmp_path / "wait-idiom", killed) | {"no_orphan": not orphans[wait_idiom]}
            plain = observe(tmp_path / "wait-obvious", killed) | {"no_orphan": not orphans[wait_obvious]}

    assert [plain[f"{case}_kill_seen"] for case in CASES] == [True, False, False], plain
    assert all(rerun[f"{case}_kill_seen"] for case in CASES), rerun
    assert rerun["started_again"]
    scenario.obvious(wait_obvious, wait_for_go, **plain)
    scenario.idiom(wait_idiom, wait_for_go, prefect.crash_silent, prefect.rerun_crashed, own_code=OWN_CODE, **rerun)
    scenario.finding(
        f"A worker saw its run's process die after {plain['seconds']['task']} s; with the worker dead, too, it was "
        f"{plain['states']['parent']} two minutes later, as was a script's run, and a run's process outlives its "
        f"worker. With"
        f" heartbeats and an automation the deaths were on record after {rerun['seconds']['parent']} and "
        f"{rerun['seconds']['script']} s, and another automation had the first two runs started again."
    )


def begin(pipeline: Any, folder: Path) -> dict[str, int]:
    """Start a run under a worker that lives on, one under the doomed worker and one as a script; their processes."""
    folders = {case: folder / case for case in CASES}
    for case in folders.values():
        case.mkdir(parents=True)
    prefect.start(pipeline, prefect.pool(), folder=str(folders["task"]))
    prefect.start(pipeline, "doomed", folder=str(folders["parent"]))
    code = f"from {__name__} import {pipeline.__name__} as run; run({str(folders['script'])!r})"
    env = {"PREFECT_API_URL": prefect.server(), "PYTHONPATH": str(ROOT)}
    script = servers.guarded([sys.executable, "-c", code], env, stderr=subprocess.DEVNULL)
    prefect.LIVE.callback(servers.end, script)
    return {case: int(until(lambda case=case: list(folders[case].glob("*.pid")))[0].stem) for case in folders}


def observe(folder: Path, killed: float) -> dict[str, Any]:
    """What the record says two minutes after the kills, and which runs were started again."""
    runs = {case: prefect.run_with({"folder": str(folder / case)}) for case in CASES}
    until(lambda: all(crash(run) for run in runs.values()) or time.time() > killed + 122, 150)
    crashes = {case: crash(run) for case, run in runs.items()}
    states = {case: prefect.state(run).name for case, run in runs.items()}
    seconds = {case: at and round(at.timestamp.timestamp() - killed, 1) for case, at in crashes.items()}
    try:
        if all(crashes.values()):
            until(lambda: all(len(list((folder / case).glob("*.pid"))) == 2 for case in ("task", "parent")), 120)
    finally:
        for case in CASES:
            (folder / case / "go").touch()
    starts = {case: len(list((folder / case).glob("*.pid"))) for case in ("task", "parent")}
    if started_again := min(starts.values()) == 2:
        states |= {case: f"Crashed, then {prefect.wait(runs[case], 'Completed').name}" for case in starts}
    return {
        "success": all(prefect.state(run).is_completed() for run in runs.values()),
        **{f"{case}_kill_seen": (seconds[case] or 999) <= 120 for case in CASES},
        "started_again": started_again,
        "states": states,
        "seconds": seconds,
        "restarted_by": "an automation, through a worker" if started_again else "nobody",
    }


def crash(run: UUID) -> Any:
    """The first state Crashed that the run has had."""
    return next((state for state in prefect.history(run) if state.is_crashed()), None)
