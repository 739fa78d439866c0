"""Run the pipeline in Dagster: `python -m dagster_impl.run 2013-06`."""

from functools import cache
from uuid import uuid4

from shared.runtime import interrupt

if __name__ == "__main__":
    interrupt.while_loading()

import dagster as dg
import skops.io  # noqa: F401  # it looks through all loaded modules: as long as there are few, that is quick

from dagster_impl.home import instance, stop, stop_abandoned
from shared.runtime import cli, running, servers
from shared.runtime.records import RunRecord
from shared.settings import Settings


@cache
def engine() -> tuple[dg.JobDefinition, dg.DagsterInstance]:
    """The job and the persistent instance; the runs of one process share them."""
    from dagster_impl.definitions import defs

    return defs().resolve_job_def("retrain"), instance()


def run(month: str, settings: Settings) -> RunRecord:
    """Run the job for one month in this process; the record is what the instance knows of the run."""
    from dagster_impl import openlineage_events
    from dagster_impl.record import run_record

    _, dagster = engine()
    stop_abandoned(dagster, settings)
    run_id = str(uuid4())
    with running.claimed(run_id, settings):
        print_link(run_id, settings)
        if not finished(run_id, month, settings):
            interrupt.requested.set()
            stop(run_id, dagster, settings)
            if not dagster.has_run(run_id):
                raise KeyboardInterrupt
    openlineage_events.report(run_id, dagster)
    return run_record(run_id, dagster)


def finished(run_id: str, month: str, settings: Settings) -> bool:
    """Run the job; False if it was interrupted."""
    from dagster_impl.defs.resources import SettingsResource

    job, dagster = engine()
    config = dg.RunConfig(resources={"settings": SettingsResource.from_settings(settings)}, loggers={"progress": {}})
    month_tag = {"dagster/partition": month}  # not partition_key: the source decides which months there are
    try:
        result = job.execute_in_process(config, dagster, raise_on_error=False, run_id=run_id, tags=month_tag)
    except KeyboardInterrupt:
        return False
    return not interrupted(result.dagster_run)


def interrupted(run: dg.DagsterRun) -> bool:
    """An interrupt within a stage cancels the run; one between two stages counts as a failure for Dagster."""
    return (
        run.status == dg.DagsterRunStatus.CANCELED or run.tags.get("dagster/failure_reason") == "UNEXPECTED_TERMINATION"
    )


def print_link(run_id: str, settings: Settings) -> None:
    """Print the link to the run's page, if the web UI is up."""
    from dagster_impl.pages import run_url

    if servers.answers(f"{servers.url_of('dagster', settings.home)}/server_info"):
        print(f"Dagster shows the run: {run_url(run_id, settings)}", flush=True)


if __name__ == "__main__":
    cli.main("dagster", run)
