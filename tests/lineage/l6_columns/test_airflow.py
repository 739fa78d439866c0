"""Airflow's assets have no columns; its OpenLineage provider sends their lineage on, to a system of one's own."""

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.models.asset import AssetEvent
from airflow.sdk import Asset, dag, task
from airflow.utils.session import create_session
from sqlalchemy import select

from tests.lineage import join
from tests.live.airflow import InProcess
from tests.scenario import Scenario

FLIGHTS, WEATHER, FEATURES = (Asset(f"l6_{name}", f"file:///l6/{name}") for name in ("flights", "weather", "features"))


@dag(dag_id="l6_obvious", schedule=None)
def obvious() -> None:
    @task(inlets=[FLIGHTS, WEATHER], outlets=[FEATURES])
    def features() -> int:
        return join.features().height

    features()


@dag(dag_id="l6_idiom", schedule=None)
def idiom() -> None:
    @task(inlets=[FLIGHTS, WEATHER], outlets=[FEATURES])
    def features(*, params: dict[str, Any]) -> int:
        from airflow.providers.openlineage.api import emit_dataset_lineage
        from openlineage.client.event_v2 import OutputDataset

        facets = {"columnLineage": column_lineage(join.WRONG if params["wrong"] else join.ORIGINS)}
        emit_dataset_lineage(outputs=[OutputDataset("file", "/l6/features", facets=facets)], raise_on_error=True)
        return join.features().height

    features()


def column_lineage(declared: dict[str, list[str]]) -> Any:
    from openlineage.client.facet_v2 import column_lineage_dataset as facet

    def fields(origins: list[str]) -> facet.Fields:
        parts = [origin.split(".") for origin in origins]
        return facet.Fields([facet.InputField("file", f"/l6/{table}", column) for table, column in parts])

    return facet.ColumnLineageDatasetFacet({feature: fields(origins) for feature, origins in declared.items()})


obvious_dag, idiom_dag = obvious(), idiom()


def sent(file: Path) -> dict[str, Any]:
    """The facet in the first OpenLineage event that has one."""
    events = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    facets = [output.get("facets", {}) for event in events for output in event.get("outputs", [])]
    return next((each["columnLineage"] for each in facets if "columnLineage" in each), {})


def kept(run: Any) -> bool:
    """Whether an event of the run in Airflow's database names a column."""
    with create_session() as session:
        extras = [
            event.extra for event in session.scalars(select(AssetEvent).where(AssetEvent.source_run_id == run.run_id))
        ]
    assert extras
    return "arr_delay" in json.dumps(extras)


def observe(dag: Any, file: Path) -> dict[str, Any]:
    run = dag.test(run_conf={"wrong": False})
    facet = sent(file)
    wrong = dag.test(run_conf={"wrong": True})
    fields = {name: field["inputFields"] for name, field in facet.get("fields", {}).items()}
    columns = {name: sorted(f"{Path(each['name']).name}.{each['field']}" for each in fields[name]) for name in fields}
    return {
        "success": run.state == "success",
        "columns": columns == join.found(),
        "native": "openlineage.io/spec" in facet.get("_schemaURL", ""),
        "kept": kept(run),
        "noticed": wrong.state != "success",
        "form": facet.get("_schemaURL", "none").rpartition("/")[2],
        "temp": columns.get("temp", []),
    }


def test_l6_columns(in_process: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenario: Scenario) -> None:
    from airflow.providers.openlineage.plugins.listener import get_openlineage_listener

    file = tmp_path / "events.jsonl"
    plain = observe(obvious_dag, file)
    transport = {"type": "file", "log_file_path": str(file), "append": True}
    monkeypatch.setenv("AIRFLOW__OPENLINEAGE__TRANSPORT", json.dumps(transport))
    monkeypatch.setattr(get_openlineage_listener().adapter, "_client", None)  # another test may have sent elsewhere
    told = observe(idiom_dag, file)
    scenario.obvious(obvious, **plain)
    scenario.idiom(idiom, column_lineage, **told)
    scenario.finding(
        f"Airflow's own records know assets, and no columns. A task can send a {told['form']} by the OpenLineage "
        f"provider (for the temperature {', '.join(told['temp'])}); it goes to a lineage system, here a file, and is "
        f"{'also' if told['kept'] else 'not'} in Airflow's database. A column that does not exist is "
        f"{'noticed' if told['noticed'] else 'taken, too'}."
    )
