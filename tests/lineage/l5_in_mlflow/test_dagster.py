"""Dagster's data version and metadata hold the digests of MLflow's datasets; metadata of its assets link to MLflow."""

import dagster as dg

from tests.in_mlflow import Told, beside_mlflow
from tests.live.dagster import Pipeline
from tests.scenario import Scenario


def told(run_id: str, instance: dg.DagsterInstance) -> Told:
    from dagster_impl import lineage

    model = next(each for each in lineage.models(instance) if each.run_id == run_id)
    (champion,) = instance.fetch_materializations(dg.AssetKey("champion"), limit=1).records
    chain = {record.asset_key.to_user_string(): record for record in lineage.origins(champion, instance)}
    features = chain["feature_table"].asset_materialization.tags["dagster/data_version"]
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    made = [entry.asset_materialization for entry in entries]
    pages = {f"the asset {each.asset_key.to_user_string()}": str(each.metadata.get("MLflow")) for each in made}
    return Told(model, features, pages)


def test_l5_in_mlflow(pipeline: Pipeline, scenario: Scenario) -> None:
    from dagster_impl.defs import assets

    record = pipeline(families=("logistic",))
    seen = beside_mlflow(told(record.run_id, pipeline.instance), pipeline.settings())
    stages = (assets.batch.op, assets.feature_table.op, assets.training_plan.op, assets.champion.op)
    scenario.obvious(*stages, success=record.state == "success", **seen)
    scenario.finding(
        f"The sha256 of {seen['source_files']} source files, which the pipeline puts into the metadata of `batch`, and "
        "that of the features, which it declares as their data version, are those of MLflow's datasets; "
        f"{seen['leads_back']} lead to MLflow's run. As the code's version Dagster has what somebody has declared, "
        "where MLflow's run has the commit."
    )
