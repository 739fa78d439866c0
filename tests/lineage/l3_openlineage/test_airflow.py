"""Airflow's provider sends all of it, if the assets' URIs are of a scheme that it knows."""

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Asset, dag, task

from tests.lineage.l3_openlineage import ERROR, answers
from tests.live.airflow import CHANGED, started
from tests.live.watch import until
from tests.openlineage import read_events, to_file
from tests.scenario import Scenario

SOURCE = Asset("l3_source", uri="file:///l3/source.csv")
FEATURES = Asset("l3_features", uri="file:///l3/features.arrow")
MODEL = Asset("l3_model", uri="file:///l3/model.skops")


@dag(dag_id="l3_obvious", schedule=None, params={"late": 1})
def obvious() -> None:
    @task(inlets=[SOURCE], outlets=[FEATURES])
    def features() -> int:
        return 3

    @task(inlets=[FEATURES], outlets=[MODEL])
    def model(rows: int, *, params: dict[str, Any]) -> str:
        if not params["late"]:
            raise ValueError(ERROR)
        return f"model of {rows} rows"

    model(features())


obvious()


@pytest.mark.live
@pytest.mark.own_engine
def test_l3_openlineage(tmp_path: Path, scenario: Scenario) -> None:
    folder, log = tmp_path / "engine", tmp_path / "log"
    folder.mkdir()
    with started(folder, CHANGED | to_file(log), dags=Path(__file__)) as live:
        states = [live.wait(live.start("l3_obvious", {"late": late})) for late in (1, 0)]
        until(lambda: sorted(told_of_runs(log)) == ["COMPLETE", "FAIL", "START", "START"])
        told = answers(read_events(log))
    assert states == ["success", "failed"]
    assert told["graph"] == "source → features, features → model"
    scenario.obvious(obvious, success=states[0] == "success", **told)
    scenario.finding(
        f"The official provider, switched on by OpenLineage's standard variables alone, sends events that connect "
        f"{told['graph']} and break {told['broken_rules']} rules of the standard. It drops without a word the assets "
        "whose URI has a scheme that no provider knows. In a process that has used polars events must be sent from a "
        "thread (execute_in_thread), as a fork of it would hang."
    )


def told_of_runs(log: Path) -> list[str]:
    """The types of the events that are of a Dag run, not of a task."""
    return [event["eventType"] for event in read_events(log) if event["job"]["name"] == "l3_obvious"]
