"""A crash is a failed try in Airflow: the supervisor reports it, and it uses up a retry as an exception does."""

import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import dag, task

from tests.live.airflow import Engine
from tests.scenario import Scenario


@dag(dag_id="r12_obvious", schedule=None)
def obvious() -> None:
    @task(retries=2, retry_delay=timedelta(seconds=1))
    def crash(*, params: dict[str, Any]) -> None:
        with Path(params["starts"]).open("a") as starts:
            starts.write("started\n")
        os.kill(os.getpid(), signal.SIGKILL)

    crash()


obvious_dag = obvious()


@pytest.mark.live
def test_r12_crash_counts_as_a_try(live: Engine, tmp_path: Path, scenario: Scenario) -> None:
    file = tmp_path / "starts"
    run = live.start("r12_obvious", {"starts": str(file)})
    state = live.wait(run)
    tries = live.tries(run, "crash")
    starts = len(file.read_text().splitlines())
    assert {attempt["state"] for attempt in tries} == {"failed"}
    scenario.obvious(
        obvious,
        success=state == "success",
        bounded=state in ("success", "failed"),
        counts_as_try=starts == 3,
        gives_up_as_failed=state == "failed",
        starts=starts,
        attempts=len(tries),
        run_state=state,
    )
    scenario.finding(
        f"A task that kills its own process was started {starts} times, as often as after exceptions, and then the run "
        f"was {state}; each crash is a failed try in the record."
    )
