"""Dagster: a step's crash is a try for its RetryPolicy; with run retries on, the run is then launched once more."""

import os
import signal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tests.live.dagster import Engine, attempts
from tests.live.watch import until
from tests.scenario import Scenario


@dg.op(retry_policy=dg.RetryPolicy(max_retries=2))
def crash(context: dg.OpExecutionContext) -> None:
    with Path(context.run.tags["starts"]).open("a") as file:
        file.write("started\n")
    os.kill(os.getpid(), signal.SIGKILL)


@dg.job
def r12_obvious() -> None:
    crash()


@dg.job(tags={"dagster/max_retries": "0"})
def r12_idiom() -> None:
    crash()


LIVE = dg.Definitions(jobs=[r12_obvious, r12_idiom])


def will_retry(live: Engine, run_id: str) -> bool:
    """What Dagster decides when a run fails; the tag is there a moment after the state."""
    until(lambda: "dagster/will_retry" in live.run(run_id).tags)
    return live.run(run_id).tags["dagster/will_retry"] == "true"


def observe(live: Engine, job: str, file: Path) -> dict[str, Any]:
    """Wait for the end of the run, and of each run that Dagster launches after it."""
    chain = [live.wait(live.start(job, tags={"starts": str(file)}))]
    while will_retry(live, chain[-1].run_id):
        chain.append(live.wait(live.retry(chain[-1].run_id)))
    starts, tried = len(file.read_text().splitlines()), [attempts(live.instance, run.run_id)["crash"] for run in chain]
    return {
        "success": chain[-1].is_success,
        "bounded": starts == sum(tried) and chain[-1].is_finished,
        "counts_as_try": starts == 3,
        "gives_up_as_failed": chain[-1].status == dg.DagsterRunStatus.FAILURE,
        "starts": starts,
        "attempts": tried,
        "run_state": chain[-1].status.value,
    }


@pytest.mark.live
def test_r12_crash_counts_as_a_try(live: Engine, tmp_path: Path, scenario: Scenario) -> None:
    obvious, idiom = (observe(live, job, tmp_path / job) for job in ("r12_obvious", "r12_idiom"))
    scenario.obvious(crash, r12_obvious, **obvious)
    scenario.idiom(crash, r12_idiom, **idiom)
    scenario.finding(
        f"The step is started {obvious['attempts'][0]} times. Then the daemon's run retries (one here, none by "
        f"default) launch the run again, {obvious['starts']} starts in all, although retry_on_asset_or_op_failure is "
        f"off; with the tag dagster/max_retries: 0 there are {idiom['starts']} starts."
    )
