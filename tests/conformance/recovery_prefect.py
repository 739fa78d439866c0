"""Recovery in Prefect: the worker sees the killed process, and a retry of the same run finds the persisted results."""

from collections.abc import Sequence

from prefect_impl.pipeline import late_flights
from prefect_impl.record import record_of
from shared.runtime.records import RunRecord
from shared.settings import Settings
from tests.faults import Kill
from tests.live import prefect
from tests.live.watch import until


def run_and_recover(month: str, settings: Settings, kill: Kill, functions: Sequence[str]) -> RunRecord:
    """Retry a run under a worker each time it has Crashed, killed as it entered each of `functions`; its record."""
    kill.at(functions[0])
    job = {"env": {**kill.env, "TRIPTYCH_HOME": str(settings.home)}}
    parameters = settings.model_dump(include={"source", "min_rows", "families", "seed"})
    run = prefect.start(late_flights, prefect.pool(), job, month=month, **parameters)
    for following in (*functions[1:], None):
        until(lambda: kill.killed)
        prefect.wait(run, "Crashed")
        if following:
            kill.at(following)
        prefect.retry(run)
    prefect.wait(run)
    return record_of(run)
