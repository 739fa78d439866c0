"""Ends runs that were interrupted for good, so that no scheduler goes on with them and their slots are free.

What the UI's *Mark as failed* does, by the internal function that it calls: a `dag.test()` has no API server to ask.
"""

from airflow.api.common.mark_tasks import set_dag_run_state_to_failed
from airflow.models.dagbag import DBDagBag
from airflow.settings import Session
from airflow.utils.session import create_session
from airflow.utils.state import State

from airflow_impl.record import DAG_ID, find
from shared.runtime import records, running
from shared.settings import Settings


def end(run_id: str, settings: Settings) -> bool:
    """End a run and its tasks as a person does who marks it as failed in the UI; false if there is no such run."""
    from shared.lib import tracking  # takes seconds to load

    Session.remove()  # its transaction may be what was interrupted
    with create_session() as session:
        run = find(run_id, session)
        if run and run.state not in State.finished_dr_states:
            dag = DBDagBag().get_latest_version_of_dag(DAG_ID, session=session)
            set_dag_run_state_to_failed(dag=dag, run_id=run_id, commit=True, session=session)
            run.notify_dagrun_state_changed(msg=records.STOPPED)
    tracking.kill(run_id, settings)
    return run is not None


def end_abandoned(settings: Settings) -> None:
    """End the runs whose process is gone, killed or cut off."""
    for run_id in running.abandoned(settings):
        end(run_id, settings)
