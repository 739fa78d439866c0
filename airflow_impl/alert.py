"""Tells the webhook of runs that have failed or are late (shared.runtime.alert): a notifier, and a deadline."""

from typing import Any

from airflow.sdk import BaseNotifier, Context, DeadlineAlert, DeadlineReference, SyncCallback

from airflow_impl.pages import run_url
from airflow_impl.params import DEFAULT_MONTH
from shared.runtime import alert
from shared.runtime.alert import Alert


class Webhook(BaseNotifier):
    """Called once for each failed run, with the task that failed last: by the Dag processor, or by `dag.test()`."""

    def render_template_fields(self, context: Context, jinja_env: Any = None) -> None:
        """Nothing: there are none, and the Dag that `dag.test()` hands over has no environment for them."""

    def notify(self, context: Context) -> None:
        run, ti = context["dag_run"], context["ti"]
        page = f"{run_url(run.run_id)}/tasks/{ti.task_id}"
        alert.send(
            Alert(
                tool="airflow",
                event="failed",
                run_id=run.run_id,
                month=month_of(run.partition_key, run.conf),
                stage=ti.task_id,
                error=error_of(ti),
                url=f"{page}/mapped/{ti.map_index}" if ti.map_index >= 0 else page,
            )
        )


def month_of(partition_key: str | None, conf: dict[str, Any] | None) -> str:
    """The month of a run, as its tasks see it (params.target_month)."""
    return partition_key or (conf or {}).get("month", DEFAULT_MONTH)


def error_of(ti: Any) -> str | None:
    """What the task pushed as its error (pipeline.keep_error); None if it was killed."""
    try:
        return ti.xcom_pull(task_ids=ti.task_id, key="error", map_indexes=ti.map_index)
    except ImportError:  # `dag.test()` is between two tasks, and offers them nothing; but it may read the database
        from airflow.utils.session import create_session

        from airflow_impl import record

        with create_session() as session:
            return record.xcom(ti.run_id, ti.task_id, session, key="error")


def tell_late(context: dict[str, Any]) -> None:
    """Called when a deadline has passed; also that of a run that has failed, of which the webhook knows already."""
    run = context["dag_run"]
    if run["state"] in ("queued", "running"):
        alert.send(
            Alert(
                tool="airflow",
                event="late",
                run_id=run["dag_run_id"],
                month=month_of(run["partition_key"], run["conf"]),
                url=run_url(run["dag_run_id"]),
            )
        )


def deadline() -> DeadlineAlert:
    return DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, alert.late_after(), SyncCallback(tell_late))


ALERTS = {"on_failure_callback": [Webhook()], "deadline": deadline()} if alert.url() else {}
"""What the Dag takes to tell of its runs: nothing without a webhook."""
