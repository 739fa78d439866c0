"""A killed run recovers by Dagster's own means: the daemon sees the dead run worker, and launches the run anew."""

from pathlib import Path

from dagster_impl.record import record_of
from shared.runtime.records import RunRecord
from shared.settings import Settings
from tests.faults import Kill
from tests.live.dagster import engine_for
from tests.live.watch import until


def run_and_recover(month: str, settings: Settings, kill: Kill, function: str, folder: Path) -> RunRecord:
    """Kill the run worker inside `function`; the record is that of the automatic retry.

    From the fan-out on, the run's tag `dagster/retry_strategy: FROM_ASSET_FAILURE` makes the retry train all of them.
    """
    live = engine_for(settings.home, kill)
    kill.at(function)
    run_id = live.start_pipeline(month, settings)
    until(lambda: kill.killed)
    return record_of(live.wait(live.retry(run_id)).run_id, live.instance)
