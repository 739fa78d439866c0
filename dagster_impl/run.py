"""Run the pipeline in Dagster: `python -m dagster_impl.run 2013-06`."""

from functools import cache

import dagster as dg
import skops.io  # noqa: F401  # it looks through all loaded modules: as long as there are few, that is quick

from dagster_impl.instance import instance
from shared import cli
from shared.contracts import PermanentError
from shared.records import RunRecord
from shared.settings import Settings


@cache
def engine() -> tuple[dg.JobDefinition, dg.DagsterInstance]:
    """The job and the persistent instance; the runs of one process share them."""
    from dagster_impl.definitions import defs

    return defs().resolve_job_def("retrain"), instance()


def run(month: str, settings: Settings) -> RunRecord:
    """Run the job for one month in this process; the record is what the instance knows of the run."""
    from dagster_impl.defs.resources import RunSettings
    from dagster_impl.record import record_of

    job, dagster = engine()
    config = dg.RunConfig(resources={"settings": RunSettings.of(settings)}, loggers={"progress": {}})
    try:
        result = job.execute_in_process(config, dagster, partition_key=month, raise_on_error=False)
    except dg.DagsterUnknownPartitionError:
        first, last = (job.partitions_def.get_partition_keys()[n] for n in (0, -1))
        raise PermanentError(
            f"month is {month}, expected a partition from {first} to {last}, the last full month"
        ) from None
    return record_of(result.run_id, dagster)


if __name__ == "__main__":
    cli.main("dagster", run)
