"""A killed run recovers by Dagster's own means: the daemon sees the dead run worker, and launches the run anew."""

from collections.abc import Sequence

from dagster_impl.record import run_record
from shared.runtime.records import RunRecord
from shared.settings import Settings
from tests.faults import Kill
from tests.live.dagster import engine_for
from tests.live.watch import until


def run_and_recover(month: str, settings: Settings, kill: Kill, functions: Sequence[str]) -> RunRecord:
    """Kill the run worker as it enters each of `functions`; the record is that of the last automatic retry.

    From the fan-out on, the run's tag `dagster/retry_strategy: FROM_ASSET_FAILURE` makes the retry train all of them.
    The product's limit is one retry; the tag allows one for each kill.
    """
    live = engine_for(settings.home, kill)
    kill.at(functions[0])
    run_id = live.start_pipeline(month, settings, {"dagster/max_retries": str(len(functions))})
    for following in (*functions[1:], None):
        until(lambda: kill.killed)
        live.wait(run_id)
        if following:
            kill.at(following)
        run_id = live.retry(run_id)
    return run_record(live.wait(run_id).run_id, live.instance)
