"""What the daemon sees to: the source's months are partitions, and each run that has ended leaves its record."""

import dagster as dg

from dagster_impl.defs.assets import MONTHS
from dagster_impl.instance import chain
from dagster_impl.record import is_of_all_stages, record_of
from shared.lib import tracking
from shared.lib.source import Source
from shared.runtime import records
from shared.settings import Settings

RUNNING = dg.DefaultSensorStatus.RUNNING


@dg.sensor(minimum_interval_seconds=30, default_status=RUNNING)
def months_of_the_source(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Each month of the default source becomes a partition, also one that joins later."""
    known = context.instance.get_dynamic_partitions(MONTHS.name)
    new = [month for month in Source("").months() if month not in known]
    return dg.SensorResult(dynamic_partitions_requests=[MONTHS.build_add_request(new)] if new else [])


def recorder(status: dg.DagsterRunStatus) -> dg.SensorDefinition:
    """Looks every few seconds for runs that have ended so; a command's run is recorded by the command."""

    @dg.run_status_sensor(
        status, f"record_of_{status.value.lower()}", minimum_interval_seconds=1, default_status=RUNNING
    )
    def record(context: dg.RunStatusSensorContext) -> None:
        """Write the run's record, and let none of its MLflow runs be RUNNING."""
        its, settings = context.dagster_run, Settings(tool="dagster")
        if its.tags.get("dagster/will_retry") != "true":
            for run in chain(its, context.instance):
                tracking.kill(run.run_id, settings)
        if is_of_all_stages(its, context.instance):
            records.write(record_of(its.run_id, context.instance), settings)

    return record


on_success = recorder(dg.DagsterRunStatus.SUCCESS)
on_failure = recorder(dg.DagsterRunStatus.FAILURE)
on_cancellation = recorder(dg.DagsterRunStatus.CANCELED)
