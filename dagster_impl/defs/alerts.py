"""Tells the webhook of runs that have failed or are late (shared.runtime.alert): sensors, if there is a webhook."""

import json
import time

import dagster as dg

from dagster_impl import pages, record
from dagster_impl.home import UNDER_WAY
from shared.runtime import alert
from shared.runtime.alert import Alert
from shared.settings import Settings

RUNNING = dg.DefaultSensorStatus.RUNNING
NOT_ENDED = [dg.DagsterRunStatus.QUEUED, *UNDER_WAY]


def tell_failure(context: dg.RunFailureSensorContext) -> None:
    """Tell of a run that has failed and is not launched again, with the first step that failed."""
    run = context.dagster_run
    if run.tags.get("dagster/will_retry") == "true":
        return
    steps = [event.step_key for event in context.get_step_failure_events()]
    page = pages.run_url(run.run_id, Settings(tool="dagster"))
    alert.send(
        Alert(
            tool="dagster",
            event="failed",
            run_id=run.run_id,
            month=run.tags.get("dagster/partition"),
            stage=record.STAGES.get(steps[0].partition(".")[0]) if steps else None,
            error=record.run_error(run, context.instance),
            url=f"{page}?logs=step%3A{steps[0]}" if steps else page,
        )
    )


def tell_lateness(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Tell of each run that was asked for too long ago and has not ended; the cursor holds those that are told."""
    told, last = json.loads(context.cursor or "[]"), time.time() - alert.late_after().total_seconds()
    under_way = context.instance.get_run_records(dg.RunsFilter(statuses=NOT_ENDED))
    late = [found.dagster_run for found in under_way if found.create_timestamp.timestamp() < last]
    for run in late:
        if run.run_id not in told:
            alert.send(
                Alert(
                    tool="dagster",
                    event="late",
                    run_id=run.run_id,
                    month=run.tags.get("dagster/partition"),
                    url=pages.run_url(run.run_id, Settings(tool="dagster")),
                )
            )
    context.update_cursor(json.dumps([run.run_id for run in late]))
    return dg.SkipReason(f"{len(late)} runs are late")


if alert.url():
    alert_of_failure = dg.run_failure_sensor("alert_of_failure", minimum_interval_seconds=5, default_status=RUNNING)(
        tell_failure
    )
    alert_of_lateness = dg.sensor(name="alert_of_lateness", minimum_interval_seconds=30, default_status=RUNNING)(
        tell_lateness
    )
