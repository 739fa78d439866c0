"""Dagster sees a step's or run's process die while the process above it lives; if that dies too, nobody sees it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from shared.settings import ROOT
from tests.live.dagster import Engine, attempts, started
from tests.live.watch import alive, parent, until
from tests.scenario import Scenario

JOBS, IN_TIME, LIMIT = ("r6_obvious", "r6_idiom"), 120, 45


@dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
def wait(context: dg.OpExecutionContext) -> None:
    while not Path(context.run.tags["go"]).exists():
        time.sleep(0.1)


@dg.job
def r6_obvious() -> None:
    wait()


@dg.job(tags={"dagster/max_runtime": str(LIMIT)})
def r6_idiom() -> None:
    wait()


LIVE = dg.Definitions(jobs=[r6_obvious, r6_idiom])


def start(live: Engine, job: str, go: Path) -> str:
    run_id = live.launch(__name__, "__repository__", job, {}, {"go": str(go)})
    live.event(run_id, dg.DagsterEventType.STEP_START)
    return run_id


def kill_task(live: Engine, job: str, go: Path) -> tuple[str, float]:
    """Kill the process of the step and let its next try go on; returns the run, and seconds from kill to record."""
    run_id = start(live, job, go)
    killed = live.kill(live.pid(run_id, "wait"))
    seen = live.event(run_id, dg.DagsterEventType.STEP_UP_FOR_RETRY).timestamp
    go.touch()
    live.wait(run_id)
    return run_id, round(seen - killed, 1)


def kill_script(home: Path, go: Path) -> tuple[Engine, str, float]:
    """Run the job by a command, in a home without web server and daemon, and kill the command's process."""
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}")
    words = ["job", "execute", "-m", __name__, "-a", "LIVE", "-j", "r6_obvious", "--tags", json.dumps({"go": str(go)})]
    env = {**os.environ, "DAGSTER_HOME": str(home), "PYTHONPATH": str(ROOT)}
    with (home / "log").open("wb") as file:
        command = subprocess.Popen([sys.executable, "-m", "dagster", *words], env=env, stdout=file, stderr=file)
    script = Engine("", dg.DagsterInstance.from_config(str(home)))
    run_id = until(lambda: script.instance.get_run_records())[0].dagster_run.run_id
    script.event(run_id, dg.DagsterEventType.STEP_START)
    killed = script.kill(command.pid)
    command.wait()
    return script, run_id, killed


def ended_after(engine: Engine, run_id: str, killed: float) -> float | None:
    """Seconds from the kill until the record says that the run has ended; None if it does not say so."""
    return round(engine.times(run_id)[1] - killed, 1) if engine.run(run_id).is_finished else None


@pytest.mark.live
@pytest.mark.own_engine
def test_r6_killed_process(tmp_path: Path, scenario: Scenario) -> None:
    go = tmp_path / "go"
    with started(tmp_path / "engine", {"PYTHONPATH": str(ROOT)}, {__name__: ROOT}) as live:
        task, seconds = {}, {}
        for job in JOBS:
            task[job], seen = kill_task(live, job, tmp_path / job)
            seconds[job] = {"task": seen}

        alone = start(live, "r6_obvious", go)  # the run's process alone
        killed = live.kill(live.pid(alone))
        seconds_alone = round(live.event(alone, dg.DagsterEventType.RUN_FAILURE).timestamp - killed, 1)
        live.retry(alone)

        parents = {job: start(live, job, go) for job in JOBS}  # the run's process, and the code server above it
        workers = [live.pid(run_id) for run_id in parents.values()]
        orphans = {job: live.pid(run_id, "wait") for job, run_id in parents.items()}
        killed = live.kill(parent(workers[0]))
        for worker in workers:
            live.kill(worker)
        script, script_run, script_killed = kill_script(tmp_path / "script", go)
        script_step = script.pid(script_run, "wait")
        until(lambda: time.time() > script_killed + IN_TIME)

        for record, code in ((scenario.obvious, r6_obvious), (scenario.idiom, r6_idiom)):
            job, run_id = code.name, parents[code.name]
            seconds[job]["parent"] = ended_after(live, run_id, killed)
            seconds[job]["script"] = ended_after(script, script_run, script_killed)
            retry = live.run(run_id).tags.get("dagster/auto_retry_run_id")
            tried = attempts(live.instance, task[job])["wait"]
            record(
                wait, code,
                success=live.run(run_id).is_success,
                task_kill_seen=seconds[job]["task"] <= IN_TIME,
                parent_kill_seen=seconds[job]["parent"] is not None,
                script_kill_seen=seconds[job]["script"] is not None,
                started_again=live.run(task[job]).is_success and tried == 2 and retry is not None,
                no_orphan=not alive(orphans[job]) and not alive(script_step),
                states={
                    "task": f"STEP_UP_FOR_RETRY, then run {live.run(task[job]).status.value}",
                    "parent": live.run(run_id).status.value,
                    "script": script.run(script_run).status.value,
                },
                seconds=seconds[job],
                restarted_by=f"task: RetryPolicy; parent: {'run retries' if retry else 'nobody'}",
            )  # fmt: skip
        found = {job: live.run(run_id).status.value for job, run_id in parents.items()}
        go.touch()
    scenario.finding(
        f"A step's process that dies is seen after {seconds['r6_obvious']['task']} s and tried again; a run's process "
        f"after {seconds_alone} s, and launched again; but if the code server dies with it, the run is "
        f"{found['r6_obvious']} for good, unless a dagster/max_runtime (here {LIMIT} s) makes it {found['r6_idiom']}, "
        f"and the step's process lives on as an orphan either way."
    )
