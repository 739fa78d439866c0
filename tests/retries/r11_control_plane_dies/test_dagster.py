"""Dagster: a run's processes write their own record, so a run goes on while web server and daemon are away."""

import time
from pathlib import Path

import dagster as dg
import pytest

from shared.settings import ROOT
from tests.live.dagster import attempts, started, states
from tests.live.watch import alive, until
from tests.scenario import Scenario

OUTAGE_SECONDS = 60


@dg.op
def wait(context: dg.OpExecutionContext) -> str:
    while not Path(context.run.tags["go"]).exists():
        time.sleep(0.1)
    return "done"


@dg.op
def go_on(text: str) -> None: ...


@dg.job
def r11_obvious() -> None:
    go_on(wait())


LIVE = dg.Definitions(jobs=[r11_obvious])


@pytest.mark.live
@pytest.mark.own_engine
def test_r11_control_plane_dies(tmp_path: Path, scenario: Scenario) -> None:
    go, engine = tmp_path / "go", tmp_path / "engine"
    with started(engine, {}, {__name__: ROOT}) as before:
        run_id = before.launch(__name__, "__repository__", "r11_obvious", {}, {"go": str(go)})
        before.event(run_id, dg.DagsterEventType.STEP_START)
        for pid in before.control_plane():
            before.kill(pid)
        down = time.monotonic()
        until(lambda: time.monotonic() - down > OUTAGE_SECONDS)
        assert alive(before.pid(run_id, "wait"))
        with started(engine, {}, {__name__: ROOT}) as after:
            back = time.time()
            go.touch()
            run = after.wait(run_id)
            seconds = round(after.times(run_id)[1] - back, 1)
            tried, found = attempts(after.instance, run_id), states(after.instance, run_id)
    scenario.obvious(
        wait, go_on, r11_obvious,
        success=run.is_success,
        run_ends_well=run.is_success,
        task_survives=found["wait"] == "SUCCESS" and tried["wait"] == 1,
        state_known_again=run.is_finished and seconds < 180,
        states=found | {"run": run.status.value},
        attempts=tried,
        seconds=seconds,
    )  # fmt: skip
    scenario.finding(
        f"The run's own process holds the plan and writes the record, so it goes on without web server and daemon for "
        f"{OUTAGE_SECONDS} s: {seconds} s after their return the run is {run.status.value}, each step in its first "
        f"attempt."
    )
