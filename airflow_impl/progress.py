"""Progress in the terminal: a line for each stage that ends, in this process or in the scheduler's.

It looks at a run through Airflow's internal models: the command that starts it is on the same machine as the database,
and has no login for the REST API.
"""

import time
from datetime import UTC, datetime
from typing import Any

from airflow.listeners import hookimpl
from airflow.models.dagrun import DagRun
from airflow.utils.state import State, TaskInstanceState

from airflow_impl import home
from airflow_impl.record import DAG_ID
from shared.contracts import PermanentError
from shared.runtime import interrupt, openlineage
from shared.runtime.records import STAGES


def show(task: Any) -> None:
    """Print the end of one of the seven stages: `train EWR/logistic: success, 0.3 s`."""
    if task.task_id in STAGES and task.start_date:
        name = f"{task.task_id} {task.rendered_map_index or ''}".strip()
        seconds = ((task.end_date or datetime.now(UTC)) - task.start_date).total_seconds()
        print(f"{name}: {TaskInstanceState(task.state)}, {seconds:.1f} s", flush=True)


# This module is a listener to the tasks of `dag.test()`, which takes an interrupt for the failure of one task and goes
# on: here it is raised again.


@hookimpl
def on_task_instance_running(task_instance: Any) -> None:
    stop_if_asked()
    if openlineage.is_on() and (task_instance.task_id, task_instance.try_number) == (STAGES[0], 1):
        from airflow_impl.openlineage_events import tell_start
        from airflow_impl.pipeline import late_flights_dag

        tell_start(late_flights_dag, task_instance.run_id)


@hookimpl
def on_task_instance_success(task_instance: Any) -> None:
    show(task_instance)


@hookimpl
def on_task_instance_failed(task_instance: Any) -> None:
    stop_if_asked()
    show(task_instance)


def stop_if_asked() -> None:
    if interrupt.noticed.is_set():
        interrupt.requested.set()
        raise KeyboardInterrupt


def follow(run_id: str) -> None:
    """Show the stages of a run in the scheduler until it ends; raises PermanentError if Airflow stops before."""
    shown: set[Any] = set()
    ended = False
    while not ended:
        check_scheduler()
        (run,) = DagRun.find(DAG_ID, run_id=[run_id])
        ended = run.state in State.finished_dr_states
        for task in run.get_task_instances():
            if task.state in State.finished and task.id not in shown:
                shown.add(task.id)
                show(task)
        time.sleep(0.2)


def check_scheduler() -> None:
    with home.reserved(for_scheduler=False) as free:
        if free:
            raise PermanentError("Airflow's UI has stopped before the run's end; start it again, and the run goes on")
