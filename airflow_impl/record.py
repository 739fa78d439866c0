"""The run record of any run of the Dag, from Airflow's metadata database."""

from typing import Any

import airflow
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.sdk.serde import deserialize
from airflow.utils.session import create_session
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.runtime import records
from shared.runtime.records import STAGES, RunRecord, StageRecord

DAG_ID = "late_flights"


def record(run_id: str, error: str | None = None) -> RunRecord:
    """What Airflow knows of a run that has ended, however it was started; `error` is known from elsewhere."""
    with create_session() as session:
        run = session.scalars(select(DagRun).where(DagRun.dag_id == DAG_ID, DagRun.run_id == run_id)).one()
        return record_of(run, session, error)


def record_of(run: DagRun, session: Session, error: str | None = None) -> RunRecord:
    tasks = [task for task in run.get_task_instances(session=session) if task.task_id in STAGES]
    batch, plan, evaluation, deployment = (
        xcom(run, stage, session) for stage in ("ingest", "plan", "evaluate", "deploy")
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
            "error": (error or first_error(run, tasks, session)) if run.state == "failed" else None,
        }
    )


def month_of(run: DagRun) -> str:
    """What was asked for, or the Dag's default: a run that materializes an asset asks for nothing."""
    from airflow_impl.pipeline import PARAMS

    return str((run.conf or {}).get("month", PARAMS["month"].value))


def xcom(run: DagRun, stage: str, session: Session, key: str = "return_value") -> Any:
    """What a stage has pushed, or None."""
    return next(iter(xcoms(run, stage, session, key)), None)


def xcoms(run: DagRun, stage: str, session: Session, key: str = "return_value") -> list[Any]:
    """What the instances of a stage have pushed."""
    found = session.scalars(XComModel.get_many(run_id=run.run_id, dag_ids=run.dag_id, task_ids=stage, key=key))
    return [deserialize(its.value) for its in found]


def stage_record(task: TaskInstance) -> StageRecord:
    key = task.rendered_map_index
    if task.state not in ("success", "failed"):  # skipped, upstream_failed or removed
        return StageRecord(stage=task.task_id, key=key, state="skipped", attempts=0)
    return StageRecord(
        stage=task.task_id, key=key, state=task.state, attempts=task.try_number,
        started=task.start_date, ended=task.end_date,
    )  # fmt: skip


def first_error(run: DagRun, tasks: list[TaskInstance], session: Session) -> str:
    """The error that failed the run; not that of a single candidate, of which `evaluate` decides."""
    failed = {task.task_id for task in tasks if task.state == "failed"} - {"train"}
    errors = (xcom(run, stage, session, key="error") for stage in STAGES if stage in failed)
    return next(filter(None, errors), "a task was killed again and again; see its log in Airflow")
