"""Dagster's home: `dagster` under the folder of everything made at run time."""

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
from filelock import FileLock

from shared.lib import store
from shared.runtime import records, running
from shared.settings import Settings, default_home

CONFIG = Path(__file__).with_name("dagster.yaml")
ENDED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.CANCELED)
UNDER_WAY = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
LAUNCHED = ".dagster/grpc_info"
"""The tag that a run gets from the web UI's code server."""


def prepare() -> Path:
    """Make the home with its dagster.yaml, and name it to this process and its children."""
    home = default_home() / "dagster"
    store.write_atomically(home / "dagster.yaml", CONFIG.read_bytes())
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def instance() -> dg.DagsterInstance:
    """The persistent instance; made by one process at a time, since two would make its tables twice."""
    home = prepare()
    with FileLock(home / "setup.lock"):
        return dg.DagsterInstance.get()


def stop(run_id: str, dagster: dg.DagsterInstance, settings: Settings) -> None:
    """Mark a run whose process is gone as canceled in Dagster, and as killed in MLflow."""
    from shared.lib import tracking  # takes seconds to load, and is seldom needed here

    run = dagster.get_run_by_id(run_id)
    if run and run.status not in ENDED:
        dagster.report_run_canceled(run, records.STOPPED)
    tracking.kill(run_id, settings)


def stop_abandoned(dagster: dg.DagsterInstance, settings: Settings) -> None:
    """Stop the runs of `make dagster` whose process was killed: no daemon watches over them."""
    for run_id in running.abandoned(settings):
        stop(run_id, dagster, settings)


def with_parents(run: dg.DagsterRun, dagster: dg.DagsterInstance) -> Iterator[dg.DagsterRun]:
    """The run, then the run that it retries or re-executes, and so on: the latest first."""
    yield run
    if run.parent_run_id and (parent := dagster.get_run_by_id(run.parent_run_id)):
        yield from with_parents(parent, dagster)
