"""The page that Prometheus reads, in Airflow's API server, as a part of the plugin (plugins/triptych.py).

Airflow's own metrics are sent away, by StatsD or OpenTelemetry, and know nothing of data and models. So this reads the
runs from the metadata database through Airflow's own models, as record.py does.
"""

from functools import cache, partial
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.responses import Response

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

    from shared.runtime import exporter, metrics

PREFIX, PATH = "/triptych", "/metrics"

app = FastAPI(docs_url=None, redoc_url=None)


@app.get(PATH)
def show() -> Response:
    """The metrics in Prometheus's text format."""
    from prometheus_client import CONTENT_TYPE_LATEST

    from shared.runtime import exporter

    return Response(exporter.page(kept()), media_type=CONTENT_TYPE_LATEST)


@cache
def kept() -> "exporter.Exporter":
    """The API server's exporter; made at the first request, as each process of Airflow loads the plugin."""
    from shared.runtime import exporter

    return exporter.Exporter("airflow", ended)


def ended() -> "exporter.Ended":
    """The runs of the Dag that have ended."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.state import State

    from airflow_impl.record import DAG_ID

    with create_session() as session:
        for run in DagRun.find(DAG_ID, session=session):
            if run.state in State.finished_dr_states and run.end_date:
                yield run.run_id, run.end_date, partial(read, run, session)


def read(run: "DagRun", session: "Session") -> "metrics.Run":
    """What the metrics tell of a run."""
    from airflow_impl.record import stage_record, xcom
    from shared.runtime import metrics, records

    tasks = [task for task in run.get_task_instances(session=session) if task.task_id in records.STAGES]
    validated = xcom(run.run_id, "validate", session)
    return metrics.Run(
        state=run.state,
        ended=run.end_date,
        stages=tuple(map(stage_record, tasks)),
        drift=validated.drift if validated else {},
        evaluation=records.evaluation_record(xcom(run.run_id, "evaluate", session)),
    )
