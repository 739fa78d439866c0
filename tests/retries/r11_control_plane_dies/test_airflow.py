"""When the API stays away a task's supervisor kills it; the scheduler starts it anew when it is back."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import dag, task

from tests.live.airflow import CHANGED, started
from tests.live.watch import alive, until
from tests.scenario import Scenario


@dag(dag_id="r11_obvious", schedule=None)
def obvious() -> None:
    @task
    def first(*, params: dict[str, Any]) -> None:
        Path(params["folder"], "pid").write_text(str(os.getpid()))
        while not Path(params["folder"], "go").exists():
            time.sleep(0.1)

    @task
    def second() -> None:
        pass

    first() >> second()


obvious_dag = obvious()


@pytest.mark.live
@pytest.mark.own_engine
@pytest.mark.timeout(600)
def test_r11_control_plane_dies(tmp_path: Path, scenario: Scenario) -> None:
    own_limits = {name: value for name, value in CHANGED.items() if "HEARTBEAT" not in name}
    with started(tmp_path, own_limits, restarts=True, dags=Path(__file__)) as engine:
        run = engine.start("r11_obvious", {"folder": str(tmp_path)})
        pid = int(until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
        down = time.monotonic()
        engine.kill_control_plane()
        until(lambda: not alive(pid) and time.monotonic() - down > 60)
        survived = alive(pid)
        engine.restart_control_plane()
        back = time.monotonic()
        (tmp_path / "go").touch()
        state = engine.wait(run)
        seconds = round(time.monotonic() - back, 1)
        states, attempts = engine.states(run), engine.attempts(run)
    scenario.obvious(
        obvious,
        success=state == "success",
        run_ends_well=state == "success",
        task_survives=survived and attempts["first"] == 1,
        state_known_again=seconds < 180,
        states=states | {"run": state},
        attempts=attempts,
        seconds=seconds,
    )
    scenario.finding(
        f"While scheduler and API server were away for {back - down:.0f} s the task's supervisor gave up after three "
        f"failed heartbeats and killed it; when they were back the scheduler started it anew ({attempts['first']} "
        f"attempts, though no retry was asked for), and the run was a {state} after {seconds} s."
    )
