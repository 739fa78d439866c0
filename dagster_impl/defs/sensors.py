"""What the daemon sees to: the source's months are partitions, and each run that has ended leaves its record."""

import dagster as dg

from dagster_impl import openlineage_events
from dagster_impl.defs.assets import MONTHS
from dagster_impl.home import with_parents
from dagster_impl.record import is_of_all_stages, run_record
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


def write_record(context: dg.RunStatusSensorContext) -> None:
    """Write the run's record, and let none of its MLflow runs be RUNNING."""
    run, settings = context.dagster_run, Settings(tool="dagster")
    if run.tags.get("dagster/will_retry") != "true":
        for each in with_parents(run, context.instance):
            tracking.kill(each.run_id, settings)
    if is_of_all_stages(run, context.instance):
        records.write(run_record(run.run_id, context.instance), settings)
    openlineage_events.report(run.run_id, context.instance)


def record_sensor(status: dg.DagsterRunStatus) -> dg.SensorDefinition:
    """A run status sensor has one status. Runs of `make dagster` belong to no code location: it does not see them."""
    name = f"record_of_{status.value.lower()}"
    sensor = dg.run_status_sensor(status, name, minimum_interval_seconds=5, default_status=RUNNING)
    return sensor(write_record)


on_success = record_sensor(dg.DagsterRunStatus.SUCCESS)
on_failure = record_sensor(dg.DagsterRunStatus.FAILURE)
on_cancellation = record_sensor(dg.DagsterRunStatus.CANCELED)
