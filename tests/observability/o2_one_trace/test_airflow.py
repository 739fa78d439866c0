"""Airflow has spans of the run and of each task; with a dead endpoint each task keeps its slot for seconds."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import dag, task
from airflow.sdk.observability import trace

from tests.live.airflow import CHANGED, Engine, started
from tests.live.watch import until
from tests.scenario import Scenario

TRACES = {"AIRFLOW__TRACES__OTEL_ON": "True", "OTEL_TRACES_EXPORTER": "otlp_proto_http"}
ONE_AT_A_TIME = {"AIRFLOW__CORE__PARALLELISM": "1"}
RUN, TASKS = "dag_run.o2_obvious", ["task_run.first", "task_run.second", "task_run.third"]


@dag(dag_id="o2_obvious", schedule=None)
def obvious() -> None:
    @task
    def first() -> None:
        pass

    @task
    def second() -> None:
        with trace.get_tracer(__name__).start_as_current_span("fit"):
            pass

    @task
    def third() -> None:
        pass

    first() >> second() >> third()


obvious_dag = obvious()


def timed(live: Engine) -> tuple[bool, float]:
    """Whether a run succeeded, and how long it took, by Airflow's record."""
    run = live.start("o2_obvious")
    state = live.wait(run)
    found = live.get(f"dags/{run.dag_id}/dagRuns/{run.run_id}")
    start, end = (datetime.fromisoformat(found[name]) for name in ("start_date", "end_date"))
    return state == "success", (end - start).total_seconds()


def observe(folder: Path, variables: dict[str, str]) -> dict[str, Any]:
    from tests.collector import answers, collector

    folder.mkdir()
    with (
        collector() as receiver,
        started(folder, CHANGED | TRACES | ONE_AT_A_TIME | receiver.variables | variables, dags=Path(__file__)) as live,
    ):
        success, _ = timed(live)
        until(lambda: {RUN, *TASKS} <= {span.name for span in receiver.spans})
        found = answers(receiver.spans, RUN, TASKS)
        alive = timed(live)[1]  # the first run had to load what this one finds
        receiver.stop()
        added = (timed(live)[1] - alive) / len(TASKS)
    return {"success": success, **found, "cheap_when_dead": added < 3, "added": round(max(0, added))}


@pytest.mark.live
@pytest.mark.own_engine
@pytest.mark.timeout(600)
def test_o2_one_trace(tmp_path: Path, scenario: Scenario) -> None:
    from airflow_impl import home

    home.prepare()  # the database that both engines copy
    folders, variables = (tmp_path / "plain", tmp_path / "bounded"), ({}, {"OTEL_EXPORTER_OTLP_TIMEOUT": "1"})
    plain, bounded = map(observe, folders, variables)
    scenario.obvious(obvious, **plain)
    scenario.idiom(obvious, **bounded)
    scenario.finding(
        f"With otel_on Airflow sends {plain['spans']}; the W3C context goes from process to process in the records of "
        f"run and task. A task has succeeded before its spans are sent, but its process keeps its slot until they are: "
        f"with one slot a dead endpoint added {plain['added']} s for each task, with OTEL_EXPORTER_OTLP_TIMEOUT=1 "
        f"{bounded['added']} s. Airflow's own bound, task_runner_flush_timeout_milliseconds, is one that the SDK does "
        "not heed."
    )
