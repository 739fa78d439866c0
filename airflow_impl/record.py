"""The run record of any run of the Dag, from what Airflow has kept of it.

It reads Airflow's metadata database through Airflow's own models, which are internal: the public way is the REST API,
and that needs an API server, which a `dag.test()` does not have.
"""

from typing import Any

import airflow
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.sdk.serde import deserialize
from airflow.utils.session import create_session
from sqlalchemy.orm import Session

from airflow_impl.params import DEFAULT_MONTH
from shared.runtime import records
from shared.runtime.records import STAGES, RunRecord, StageRecord

DAG_ID = "late_flights"


def record(run_id: str, error: str | None = None) -> RunRecord:
    """What Airflow knows of a run that has ended, however it was started; `error` is known from elsewhere."""
    with create_session() as session:
        run = find(run_id, session)
        if run is None:
            raise LookupError(f"Airflow knows of no run {run_id!r} of {DAG_ID}")
        return record_of_run(run, session, error)


def find(run_id: str, session: Session) -> DagRun | None:
    return next(iter(DagRun.find(DAG_ID, run_id=[run_id], session=session)), None)


def record_of_run(run: DagRun, session: Session, error: str | None = None) -> RunRecord:
    tasks = [task for task in run.get_task_instances(session=session) if task.task_id in STAGES]
    batch, plan, evaluation, deployment = (
        xcom(run.run_id, stage, session) for stage in ("ingest", "plan", "evaluate", "deploy")
    )
    return RunRecord.model_validate(
        {
            "tool": "airflow",
            "tool_version": airflow.__version__,
            "month": month_of(run),
            "run_id": run.run_id,
            "state": run.state,
            "started": run.start_date,
            "ended": run.end_date,
            "stages": records.in_order([stage_record(task) for task in tasks]),
            **records.outcome(batch.inputs if batch else {}, plan, evaluation, deployment),
            "error": (error or first_error(run.run_id, tasks, session)) if run.state == "failed" else None,
        }
    )


def month_of(run: DagRun) -> str:
    """The month of a run, as its tasks see it (params.target_month)."""
    return str(run.partition_key or (run.conf or {}).get("month", DEFAULT_MONTH))


def xcom(run_id: str, task_id: str, session: Session, key: str = "return_value", map_index: int | None = None) -> Any:
    """What a task has pushed, or None."""
    return next(iter(xcoms(run_id, task_id, session, key, map_index)), None)


def xcoms(
    run_id: str, task_id: str, session: Session, key: str = "return_value", map_index: int | None = None
) -> list[Any]:
    """What the instances of a task, or the one instance of `map_index`, have pushed."""
    query = XComModel.get_many(run_id=run_id, dag_ids=DAG_ID, task_ids=task_id, key=key, map_indexes=map_index)
    return [deserialize(entry.value) for entry in session.scalars(query)]


def stage_record(task: TaskInstance) -> StageRecord:
    key = task.rendered_map_index
    if task.state not in ("success", "failed"):  # skipped, upstream_failed or removed
        return StageRecord(stage=task.task_id, key=key, state="skipped", attempts=0)
    return StageRecord(
        stage=task.task_id, key=key, state=task.state, attempts=task.try_number,
        started=task.start_date, ended=task.end_date,
    )  # fmt: skip


def first_error(run_id: str, tasks: list[TaskInstance], session: Session) -> str:
    """The error that failed the run; not that of a single candidate, of which `evaluate` decides."""
    failed = {task.task_id for task in tasks if task.state == "failed"} - {"train"}
    errors = (xcom(run_id, stage, session, key="error") for stage in STAGES if stage in failed)
    return next(filter(None, errors), "a task was killed again and again; see its log in Airflow")
