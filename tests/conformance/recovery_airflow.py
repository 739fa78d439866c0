"""Recovery in Airflow: the live scheduler tries a killed task again by itself; a run that failed is cleared by REST."""

from pathlib import Path

from shared.runtime.records import RunRecord
from shared.settings import Settings
from tests.faults import Kill
from tests.live.airflow import conf, engine
from tests.live.watch import until


def run_and_recover(month: str, settings: Settings, kill: Kill, function: str, folder: Path) -> RunRecord:
    """The record of a run one of whose task processes was killed when it entered `function`."""
    live = engine()
    live.work_in(settings.home, kill)
    kill.at(function)
    run = live.start("late_flights", conf(month, settings))
    until(lambda: kill.killed, 180)
    if live.wait(run) == "failed":
        live.clear_failed(run)
        live.wait(run)
    return live.record(run)
