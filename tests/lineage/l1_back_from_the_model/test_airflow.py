"""An asset event names the run that made it, and the task's inlets lead on; what was in them, its extra must tell."""

from pathlib import Path
from typing import Any

from airflow.models.asset import AssetEvent, AssetModel
from airflow.sdk import Asset, dag, task
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_impl.lineage import origins
from shared.lib.store import sha256
from tests.live.airflow import InProcess
from tests.scenario import Scenario

SOURCE = Asset("l1_source")
FEATURES, MODEL = Asset("l1_features"), Asset("l1_model")
FEATURES_WITH_FACTS, MODEL_WITH_FACTS = Asset("l1_features_with_facts"), Asset("l1_model_with_facts")


def digests(folder: str) -> dict[str, str]:
    return {file.name: sha256(file.read_bytes()) for file in sorted(Path(folder).glob("*.csv"))}


@dag(dag_id="l1_obvious", schedule=None, params={"seed": 0})
def obvious() -> None:
    @task(inlets=[SOURCE], outlets=[FEATURES])
    def features(*, params: dict[str, Any]) -> int:
        return len(digests(params["folder"]))

    @task(inlets=[FEATURES], outlets=[MODEL])
    def model(files: int) -> str:
        return f"model of {files} files"

    model(features())


@dag(dag_id="l1_idiom", schedule=None, params={"seed": 0})
def idiom() -> None:
    @task(inlets=[SOURCE], outlets=[FEATURES_WITH_FACTS])
    def features(*, params: dict[str, Any], outlet_events: Any) -> int:
        files = digests(params["folder"])
        outlet_events[FEATURES_WITH_FACTS].extra = {"inputs": files}
        return len(files)

    @task(inlets=[FEATURES_WITH_FACTS], outlets=[MODEL_WITH_FACTS])
    def model(files: int) -> str:
        return f"model of {files} files"

    model(features())


obvious_dag, idiom_dag = obvious(), idiom()


def observe(dag: Any, features: Asset, model: Asset, folder: Path) -> dict[str, Any]:
    run = dag.test(run_conf={"folder": str(folder), "seed": 7})
    with create_session() as session:
        of_model = AssetEvent.asset_id == select(AssetModel.id).where(AssetModel.name == model.name).scalar_subquery()
        made = session.scalars(select(AssetEvent).where(of_model)).one()
        chain, recorded = dict(origins(made, session)), made.source_dag_run
        inputs = [event.extra.get("inputs") for event in chain.values() if event]
        version = recorded.created_dag_version
    return {
        "success": run.state == "success",
        "run": made.source_run_id == run.run_id,
        "settings": recorded.conf["seed"] == 7,
        "features": chain.get(features.name) is not None,
        "files": digests(str(folder)) in inputs,
        "code_version": version is not None,
        "assets": " ← ".join(chain),
        "recorded_version": f"version {version.version_number} of the Dag" if version else "none",
    }


def test_l1_back_from_the_model(in_process: InProcess, tmp_path: Path, scenario: Scenario) -> None:
    for month in ("May", "June"):
        (tmp_path / f"{month}.csv").write_text(month)
    plain = observe(obvious_dag, FEATURES, MODEL, tmp_path)
    told = observe(idiom_dag, FEATURES_WITH_FACTS, MODEL_WITH_FACTS, tmp_path)
    scenario.obvious(obvious, **plain)
    scenario.idiom(idiom, **told)
    scenario.finding(
        f"An asset's event names its run, whose conf is on record, and the inlets of its task lead back, "
        f"{plain['assets']}; the source files are there if a task puts their digests into the event's extra. The code "
        f"is told as {plain['recorded_version']}."
    )
