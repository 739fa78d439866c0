"""Recovery in Prefect: the worker sees the killed process, and a retry of the same run finds the persisted results."""

from pathlib import Path

from prefect_impl.pipeline import late_flights
from prefect_impl.record import record_of
from shared.runtime.records import RunRecord
from shared.settings import Settings
from tests.faults import Kill
from tests.live import prefect


def run_and_recover(month: str, settings: Settings, kill: Kill, function: str, folder: Path) -> RunRecord:
    """Start the run under a worker that obeys `kill`, wait until it has Crashed, retry it; the record of its end."""
    kill.at(function)
    job = {"env": {**kill.env, "TRIPTYCH_HOME": str(settings.home)}}
    asked = settings.model_dump(include={"source", "min_rows", "families", "seed"})
    run = prefect.start(late_flights, prefect.pool(), job, month=month, **asked)
    prefect.wait_for(run, "Crashed")
    prefect.retry(run)
    prefect.wait_for(run)
    return record_of(run)
