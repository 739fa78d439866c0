"""Run the pipeline in Airflow: `python -m airflow_impl.run 2013-06`.

A run in this process is Airflow's public `dag.test()`; but that lets nobody choose the run's id, which must be known
before the run begins so that it can be ended if this process is killed. So the internal function that makes the id is
replaced while it runs. A run in the scheduler is started as `airflow dags trigger` does, without its second process.
"""

from shared.runtime import interrupt

if __name__ == "__main__":
    interrupt.while_loading()
    print("Airflow is loading …", flush=True)

from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from airflow.api.common.trigger_dag import trigger_dag
from airflow.models.dagrun import DagRun
from airflow.sdk.listener import get_listener_manager
from airflow.utils.types import DagRunTriggeredByType

import shared.stages.train  # noqa: F401  # with what it loads: else the time of the first task would have that in it
from airflow_impl import home, progress, stop
from airflow_impl.pages import run_url
from airflow_impl.pipeline import late_flights_dag
from airflow_impl.record import DAG_ID, record
from shared.runtime import cli, records, running
from shared.runtime.records import RunRecord
from shared.settings import Settings


def run(month: str, settings: Settings) -> RunRecord:
    """Run the Dag for one month: in this process, or if Airflow's UI is up, by its scheduler."""
    home.prepare()
    run_id = f"{month}__{datetime.now(UTC).isoformat()}"
    conf = settings.model_dump(mode="json", exclude={"tool", "home"}) | {"month": month}
    with home.reserved(for_scheduler=False) as free:
        try:
            in_this_process(run_id, conf, settings) if free else in_the_scheduler(run_id, conf)
        except KeyboardInterrupt:
            if not stop.end(run_id, settings):
                raise
            return record(run_id, error=records.STOPPED)
    return record(run_id)


def in_this_process(run_id: str, conf: dict[str, Any], settings: Settings) -> None:
    stop.end_abandoned(settings)
    get_listener_manager().add_listener(progress)
    with running.claimed(run_id, settings), patch.object(DagRun, "generate_run_id", return_value=run_id):
        late_flights_dag.test(run_conf=conf)


def in_the_scheduler(run_id: str, conf: dict[str, Any]) -> None:
    print(f"Airflow's UI is up: its scheduler does this run, {run_url(run_id)}", flush=True)
    trigger_dag(DAG_ID, triggered_by=DagRunTriggeredByType.CLI, run_id=run_id, conf=conf)
    progress.follow(run_id)


if __name__ == "__main__":
    cli.main("airflow", run)
