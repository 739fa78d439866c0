"""What is done when Airflow says that a run or a task begins or ends, however it was started: a listener.

Airflow gives a listener its internal models, and the session in which it is changing them.
"""

from airflow.listeners import hookimpl
from airflow.models.dagrun import DagRun
from sqlalchemy.orm import object_session

from airflow_impl import record
from shared.runtime import interrupt, records
from shared.runtime.records import RunRecord
from shared.settings import Settings


@hookimpl
def on_dag_run_running(dag_run: DagRun, msg: str) -> None:
    """Make the month that the form asked for the run's partition, as it is for a scheduled run."""
    if dag_run.dag_id == record.DAG_ID:
        dag_run.partition_key = record.month_of(dag_run)


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    if dag_run.dag_id == record.DAG_ID:
        keep_record(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """End the run in MLflow too; `msg` tells whether a person or a command has stopped it."""
    if dag_run.dag_id == record.DAG_ID:
        from shared.lib import tracking  # takes seconds to load

        tracking.kill(dag_run.run_id, Settings(tool="airflow"))
        keep_record(dag_run, records.STOPPED if msg == records.STOPPED or "manually" in msg else None)


def keep_record(dag_run: DagRun, error: str | None = None) -> None:
    """Write the run's record, and its outcome into the note on the run's page."""
    if session := object_session(dag_run):  # none in `dag.test()`, whose command writes the record
        run_record = record.record_of_run(dag_run, session, error)
        records.write(run_record, Settings(tool="airflow"))
        if not dag_run.note or dag_run.note.startswith(run_record.month):  # a person's own note stays
            dag_run.note = note(run_record)


def note(run_record: RunRecord) -> str:
    from shared.lib import tracking

    outcome = run_record.error or (run_record.evaluation and run_record.evaluation.decision)
    text = f"{run_record.month}: {outcome}"
    if run_record.tracking:
        text += f", [MLflow]({tracking.run_url(run_record.tracking.run_id, Settings(tool='airflow'))})"
    return text


@hookimpl
def on_task_instance_running(previous_state: object, task_instance: object) -> None:
    """Let SIGTERM end the task at once: Airflow would let it go on, and after 5 s end it with SIGKILL."""
    interrupt.while_waiting()
