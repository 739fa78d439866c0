"""The monthly schedule: a small Dag of its own, paused until someone switches it on.

`late_flights` itself must not be paused, or the runs that people start would wait in the queue. So this Dag has the
calendar: on the first of a month it says that the flights of the month before are due, and `late_flights`, which waits
for that asset, runs for the same partition.
"""

from datetime import timedelta

from airflow.sdk import CronPartitionTimetable, dag, task

from airflow_impl.assets import FLIGHTS


@dag(
    # The partition is the month that has just ended: one step of the calendar before the run.
    schedule=CronPartitionTimetable(
        "0 0 1 * *",
        timezone="UTC",
        run_offset=-1,
        key_format="%Y-%m",
        run_immediately=timedelta(0),  # by default it runs at once in the first three days of a month
    ),
    is_paused_upon_creation=True,
    default_args={"owner": "triptych"},
    tags=["triptych"],
)
def monthly_schedule() -> None:
    """Start `late_flights` on the first of each month, for the month that has just ended. Unpause it to switch it on.

    To start a past month by hand, trigger this Dag with that month as the partition key, such as 2013-06.
    """

    @task(outlets=[FLIGHTS])
    def flights_are_due() -> None:
        """Write an event of the asset `flights`, which bears this run's partition."""

    flights_are_due()


monthly_schedule_dag = monthly_schedule()
