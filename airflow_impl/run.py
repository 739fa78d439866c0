"""Run the pipeline in Airflow: `python -m airflow_impl.run 2013-06`."""

import signal
import time
from typing import Any

import shared.train  # noqa: F401  # skops looks through all loaded modules: before Airflow's there are few

# isort: split
from airflow.api.common.trigger_dag import trigger_dag
from airflow.models.dagrun import DagRun
from airflow.utils.state import State
from airflow.utils.types import DagRunTriggeredByType

from airflow_impl import database
from airflow_impl.pipeline import late_flights_dag
from airflow_impl.record import record
from shared import cli
from shared.contracts import PermanentError
from shared.records import RunRecord
from shared.settings import Settings


def run(month: str, settings: Settings) -> RunRecord:
    """Run the Dag for one month: in this process, or if Airflow's UI is up, by its scheduler."""
    database.prepare()
    conf = settings.model_dump(mode="json", exclude={"tool", "home"}) | {"month": month}
    with database.lent(scheduler=False) as free:
        run_id = late_flights_dag.test(run_conf=conf).run_id if free else scheduled(conf)
    return record(run_id)


def scheduled(conf: dict[str, Any]) -> str:
    """Trigger a run, wait for its end, and return its id."""
    print("Airflow's UI is up: its scheduler does this run, and shows its progress", flush=True)
    dag_id = late_flights_dag.dag_id
    run_id = trigger_dag(dag_id, triggered_by=DagRunTriggeredByType.CLI, conf=conf).run_id
    while DagRun.find(dag_id, run_id=[run_id])[0].state not in State.finished_dr_states:
        with database.lent(scheduler=False) as free:
            if free:
                raise PermanentError(
                    "Airflow's UI has stopped before the run's end; start it again, and the run goes on"
                )
        time.sleep(0.5)
    return run_id


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # `dag.test()` takes Ctrl-C for the failure of one task, and goes on
    cli.main("airflow", run)
