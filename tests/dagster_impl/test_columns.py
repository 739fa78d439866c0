"""Dagster knows the columns of the features, and from which columns of which asset each of them comes."""

import dagster as dg

from dagster_impl.defs.resources import SettingsResource
from shared.lib import feature_table
from tests.live.dagster import Pipeline

FEATURES = dg.AssetKey("feature_table")


def test_each_feature_leads_back_to_columns_of_the_asset_before_it(pipeline: Pipeline) -> None:
    settings = SettingsResource.from_settings(pipeline.settings())
    made = pipeline.job.execute_in_process(
        dg.RunConfig(resources={"settings": settings}),
        pipeline.instance,
        asset_selection=[dg.AssetKey("batch"), dg.AssetKey("validated_batch"), FEATURES],
        tags={"dagster/partition": "2013-06"},
    )

    (found,) = made.asset_materializations_for_node("feature_table")
    schema, lineage = (found.metadata[f"dagster/column_{name}"].value for name in ("schema", "lineage"))
    assert {column.name: column.type for column in schema.columns}["distance"] == "Float64"
    assert [column.name for column in schema.columns] == list(lineage.deps_by_column) == list(feature_table.ORIGINS)
    origins = [dep for deps in lineage.deps_by_column.values() for dep in deps]
    assert {dep.asset_key for dep in origins} == pipeline.job.asset_layer.asset_graph.get(FEATURES).parent_keys
    assert [dep.column_name for dep in lineage.deps_by_column["distance"]] == ["flights.distance"]
