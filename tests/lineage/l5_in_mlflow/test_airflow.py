"""Airflow's asset events and MLflow's datasets hold the same digests; each task's result leads to MLflow's run."""

from shared.settings import Settings
from tests.in_mlflow import Told, beside_mlflow
from tests.live.airflow import InProcess, rows
from tests.scenario import Scenario


def told(run_id: str) -> Told:
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    from airflow_impl import assets, lineage

    with create_session() as session:
        named = select(AssetModel.id).where(AssetModel.name == assets.CHAMPION.name).scalar_subquery()
        wanted = (AssetEvent.asset_id == named, AssetEvent.source_run_id == run_id)
        champion = session.scalars(select(AssetEvent).where(*wanted)).one()
        chain = dict(lineage.origins(champion, session))
        features = next((event.extra["sha256"] for event in chain.values() if event and "sha256" in event.extra), None)
    model = next(each for each in lineage.models() if each.run_id == run_id)
    pages = {one.task_id: str(one.value) for one in rows(XComModel, run_id) if one.key == "return_value"}
    return Told(model, features, pages)


def test_l5_in_mlflow(in_process: InProcess, scenario: Scenario) -> None:
    from airflow_impl.pipeline import late_flights_dag

    record = in_process.pipeline(families=("logistic",))
    seen = beside_mlflow(told(record.run_id), Settings(tool="airflow"))
    stages = [late_flights_dag.get_task(stage).python_callable for stage in ("features", "plan", "deploy")]
    scenario.obvious(*stages, success=record.state == "success", **seen)
    scenario.finding(
        f"The sha256 of {seen['source_files']} source files and of the features, which the pipeline puts into the "
        f"extra of an asset's event, are those of MLflow's datasets; the results of {seen['leads_back']} name MLflow's "
        "run. As the code's version Airflow counts the Dag's versions, where MLflow's run has the commit."
    )
