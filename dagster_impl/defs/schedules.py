"""The monthly run. Dagster leaves a schedule stopped until someone switches it on, under *Automation*."""

import datetime

import dagster as dg

from dagster_impl.defs.assets import MONTHS
from dagster_impl.defs.jobs import retrain


@dg.schedule(job=retrain, cron_schedule="0 6 1 * *", execution_timezone="UTC")
def monthly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """On the first of each month, retrain for the month that has just ended."""
    # `build_schedule_from_partitioned_job` would do without this function, but not with dynamic partitions.
    month = last_month(context.scheduled_execution_time)
    context.instance.add_dynamic_partitions(MONTHS.name, [month])
    return dg.RunRequest(run_key=month, partition_key=month)


def last_month(day: datetime.date) -> str:
    """The month before the day's, such as `2013-06`."""
    return f"{day.replace(day=1) - datetime.timedelta(days=1):%Y-%m}"
