"""A run of Prefect goes on without the server: its process calls the tasks, and asks the server again for a while."""

import time
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, task
from prefect.settings import PREFECT_API_URL, temporary_settings

from shared.runtime.servers import free_port
from tests.live import prefect
from tests.live.watch import until
from tests.scenario import Scenario

OUTAGE_SECONDS = 60


@task(task_run_name="first")
def first(folder: str) -> str:
    Path(folder, "first").touch()
    until(Path(folder, "go").exists, 300)
    return folder


@task(task_run_name="second")
def second(folder: str) -> None:
    Path(folder, "second").touch()


@flow
def two_tasks(folder: str) -> None:
    second(first(folder))


@pytest.mark.live
def test_r11_control_plane_dies(tmp_path: Path, scenario: Scenario) -> None:
    port, home = free_port(), tmp_path / "server"
    url = f"http://127.0.0.1:{port}/api"
    local = temporary_settings({PREFECT_API_URL: url})
    with local, prefect.own_server(port, home) as server, prefect.worker(url, "local", tmp_path):
        run = prefect.start(two_tasks, "local", folder=str(tmp_path))
        prefect.running(run)
        prefect.kill(server)
        died = time.time()
        until(lambda: time.time() > died + OUTAGE_SECONDS)
        with prefect.own_server(port, home):
            seen = observe(run, tmp_path)
    assert seen["run_ends_well"]
    scenario.obvious(two_tasks, first, second, **seen)
    scenario.finding(
        f"With the server dead for {OUTAGE_SECONDS} s the run's process went on; {seen['seconds']} s after the server "
        f"was back, the run was {seen['states']['run']}, its first task after {seen['attempts']['first']} try."
    )


def observe(run: Any, folder: Path) -> dict[str, Any]:
    returned = time.time()
    (folder / "go").touch()
    prefect.wait(run)
    seconds = time.time() - returned
    state = prefect.state(run)
    until(lambda: len(prefect.states(run)) == 2)
    return {
        "success": state.is_completed(),
        "run_ends_well": state.is_completed(),
        "task_survives": prefect.attempts(run)["first"] == 1,
        "state_known_again": seconds < 180,
        "states": prefect.states(run) | {"run": state.name},
        "attempts": prefect.attempts(run),
        "seconds": round(seconds, 1),
    }
