"""The monthly schedule's flow: it starts a run of the pipeline for the month that has just ended.

A schedule of Prefect gives its runs fixed parameters. So this flow has the schedule (prefect.yaml), works out the month
and hands it on as a parameter: the run's page shows it, and a retry weeks later means the same month.
"""

from datetime import datetime, timedelta

from prefect import flow
from prefect.deployments import run_deployment
from prefect.runtime import flow_run

from shared.contracts import Month


def month_before(when: datetime) -> Month:
    """The month that ended last before this time: 2013-06 for any time in July."""
    return f"{when.replace(day=1) - timedelta(days=1):%Y-%m}"


@flow(name="monthly-schedule")
def run_month_before() -> None:
    """Start `late-flights` for the month before this run's scheduled start, however late it begins."""
    month = month_before(flow_run.scheduled_start_time)
    run_deployment("late-flights/monthly-retraining", parameters={"month": month}, timeout=0)
