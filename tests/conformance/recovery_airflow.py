"""Recovery in Airflow: the live scheduler tries a killed task again by itself."""

from collections.abc import Sequence

from shared.runtime.records import RunRecord
from shared.settings import Settings
from tests.faults import Kill
from tests.live.airflow import conf, engine
from tests.live.watch import until


def run_and_recover(month: str, settings: Settings, kill: Kill, functions: Sequence[str]) -> RunRecord:
    """The record of a run whose task process was killed each time it entered one of `functions`."""
    live = engine()
    live.work_in(settings.home, kill)
    kill.at(functions[0])
    run = live.start("late_flights", conf(month, settings))
    for following in (*functions[1:], None):
        until(lambda: kill.killed, 180)
        if following:
            kill.at(following)
    assert live.wait(run) == "success"
    return live.record(run)
