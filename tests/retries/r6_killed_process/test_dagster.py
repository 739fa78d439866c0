"""Dagster sees a step's or run's process die while the process above it lives; if that dies too, nobody sees it."""

import time
from pathlib import Path

import dagster as dg

from tests.live.dagster import Engine

IN_TIME = 60
RUN_LIMIT = 30


@dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
def wait(context: dg.OpExecutionContext) -> None:
    while not Path(context.run.tags["go"]).exists():
        time.sleep(0.1)


@dg.job(tags={"dagster/max_retries": "1"})
def r6_obvious() -> None:
    wait()


@dg.job(tags={"dagster/max_retries": "1", "dagster/max_runtime": str(RUN_LIMIT)})
def r6_idiom() -> None:
    wait()


LIVE = dg.Definitions(jobs=[r6_obvious, r6_idiom])


def kill_task(live: Engine, job: str, go: Path) -> tuple[str, float]:
    """Kill the step's process; returns the run, and the seconds until the record says so."""
    run_id = live.start(job, tags={"go": str(go)})
    live.event(run_id, dg.DagsterEventType.STEP_START)
    killed = live.kill(live.pid(run_id, "wait"))
    seconds = live.event(run_id, dg.DagsterEventType.STEP_UP_FOR_RETRY).timestamp - killed
    go.touch()
    live.wait(run_id)
    return run_id, round(seconds, 1)


def kill_run(live: Engine, go: Path) -> tuple[str, float]:
    """Kill the run's process alone; returns the run, and the seconds until the record says so."""
    run_id = live.start("r6_obvious", tags={"go": str(go)})
    live.event(run_id, dg.DagsterEventType.STEP_START)
    killed = live.kill(live.pid(run_id))
    seconds = live.event(run_id, dg.DagsterEventType.RUN_FAILURE).timestamp - killed
    live.wait(live.retry(run_id), 0.1) if go.exists() else live.retry(run_id)
    go.touch()
    return run_id, round(seconds, 1)
