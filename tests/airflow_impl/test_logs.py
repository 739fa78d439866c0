"""The stages' log lines are found again in the task logs, over Airflow's API."""

from pathlib import Path

import pytest

from shared.settings import Settings
from tests.live.airflow import Engine, conf
from tests.logs import check


@pytest.mark.live
def test_each_stage_has_a_line_in_its_task_log(live: Engine, source: Path) -> None:
    settings = Settings(tool="airflow", source=str(source), min_rows=100, families=("logistic",))
    run = live.start("late_flights", conf("2013-06", settings))
    assert live.wait(run) == "success"
    logs = [live.log(run, name) for name in live.tasks(run)]
    check([line for log in logs for line in log.splitlines()], "airflow", run.run_id)
