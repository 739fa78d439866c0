"""An asset's events name the runs that wrote them, so a file leads on to its models if each file is an asset."""

from collections.abc import Callable
from typing import Any

from airflow.models.asset import AssetEvent, AssetModel, TaskInletAssetReference
from airflow.sdk import Asset, AssetAlias, dag, task
from airflow.utils.session import create_session
from sqlalchemy import select

from tests.live.airflow import InProcess
from tests.scenario import Scenario

SOURCE, FILES = Asset("l2_source"), AssetAlias("l2_files")
FEATURES, MODEL = Asset("l2_features"), Asset("l2_model")
FEATURES_OF_FILES, MODEL_OF_FILES = Asset("l2_features_of_files"), Asset("l2_model_of_files")
WINDOWS = (["2013-05", "2013-06"], ["2013-06", "2013-07"])


@dag(dag_id="l2_obvious", schedule=None)
def obvious() -> None:
    @task(inlets=[SOURCE], outlets=[FEATURES])
    def features(*, params: dict[str, Any]) -> str:
        return " and ".join(params["months"])

    @task(inlets=[FEATURES], outlets=[MODEL])
    def model(months: str, *, outlet_events: Any) -> None:
        outlet_events[MODEL].extra = {"of": months}

    model(features())


@dag(dag_id="l2_idiom", schedule=None)
def idiom() -> None:
    @task(outlets=[FILES, FEATURES_OF_FILES])
    def features(*, params: dict[str, Any], outlet_events: Any) -> str:
        for month in params["months"]:
            outlet_events[FILES].add(Asset(f"l2_source/{month}.csv"))
        return " and ".join(params["months"])

    @task(inlets=[FEATURES_OF_FILES], outlets=[MODEL_OF_FILES])
    def model(months: str, *, outlet_events: Any) -> None:
        outlet_events[MODEL_OF_FILES].extra = {"of": months}

    model(features())


obvious_dag, idiom_dag = obvious(), idiom()


def of_asset(name: str) -> Any:
    return AssetEvent.asset_id == select(AssetModel.id).where(AssetModel.name == name).scalar_subquery()


def from_source(month: str) -> Any:
    """The runs of the tasks that have the source as an inlet: no file is known."""
    asset = select(AssetModel.id).where(AssetModel.name == SOURCE.name).scalar_subquery()
    tasks = select(TaskInletAssetReference.dag_id).where(TaskInletAssetReference.asset_id == asset)
    return select(AssetEvent.source_run_id).where(AssetEvent.source_dag_id.in_(tasks))


def from_file(month: str) -> Any:
    """The runs that have written an event of the file's own asset."""
    return select(AssetEvent.source_run_id).where(of_asset(f"l2_source/{month}.csv"))


def observe(dag: Any, model: Asset, runs: Callable[[str], Any]) -> dict[str, Any]:
    def forward(month: str) -> list[str]:
        with create_session() as session:
            made = select(AssetEvent).where(of_asset(model.name), AssetEvent.source_run_id.in_(runs(month)))
            return sorted(event.extra["of"] for event in session.scalars(made))

    ended = [dag.test(run_conf={"months": months}) for months in WINDOWS]
    may, june = forward("2013-05"), forward("2013-06")
    return {
        "success": all(run.state == "success" for run in ended),
        "both": june == ["2013-05 and 2013-06", "2013-06 and 2013-07"],
        "only": may == ["2013-05 and 2013-06"],
        "forward": len(may) == 1,
        "june": june,
        "may": may,
        "read": len(may),
    }


def test_l2_forward_from_a_file(in_process: InProcess, scenario: Scenario) -> None:
    plain = observe(obvious_dag, MODEL, from_source)
    told = observe(idiom_dag, MODEL_OF_FILES, from_file)
    scenario.obvious(obvious, **plain)
    scenario.idiom(idiom, **told)
    scenario.finding(
        f"An inlet is fixed when the Dag is written: with one for the whole source, May's file leads to all "
        f"{len(plain['may'])} models. If the task that reads the files writes an event for each of them, by an asset "
        f"alias, a file's events name their runs, and these {len(told['may'])} model for May and {len(told['june'])} "
        f"for June; the REST API finds events by asset and by run, too."
    )
