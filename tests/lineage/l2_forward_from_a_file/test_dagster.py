"""Dagster's asset graph maps partitions both ways, so a month leads on to its models if source and models have any."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from dagster_impl.lineage import facts
from tests.scenario import Scenario

MODEL = dg.AssetKey("model")
MONTHS = dg.MonthlyPartitionsDefinition(start_date="2013-05", end_date="2013-08", fmt="%Y-%m")
WINDOW = dg.TimeWindowPartitionMapping(start_offset=-1)  # the month and the one before it


class Window(dg.Config):
    months: list[str]


def made(months: Any) -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(value=None, metadata={"of": " and ".join(months)})


SOURCE = dg.AssetSpec("source")


@dg.asset(name="features", deps=[SOURCE])
def features_obvious(config: Window) -> list[str]:
    return config.months


@dg.asset(name="model")
def model_obvious(features: list[str]) -> dg.MaterializeResult[None]:
    return made(features)


@dg.asset(partitions_def=MONTHS)
def source(context: dg.AssetExecutionContext) -> str:
    return f"the file of {context.partition_key}"


@dg.asset(name="features", partitions_def=MONTHS, ins={"source": dg.AssetIn(partition_mapping=WINDOW)})
def features_idiom(source: dict[str, str]) -> list[str]:
    return list(source)


@dg.asset(name="model", partitions_def=MONTHS)
def model_idiom(features: list[str]) -> dg.MaterializeResult[None]:
    return made(features)


def run_obvious(months: list[str], instance: dg.DagsterInstance) -> bool:
    config = dg.RunConfig({"features": Window(months=months)})
    return dg.materialize([SOURCE, features_obvious, model_obvious], run_config=config, instance=instance).success


def run_idiom(months: list[str], instance: dg.DagsterInstance) -> bool:
    assets = [source, features_idiom, model_idiom]
    for month in months:
        dg.materialize(assets, selection=[source], partition_key=month, instance=instance)
    window = dg.materialize(assets, selection=assets[1:], partition_key=months[-1], instance=instance)
    return window.success


def models(
    asset: dg.AssetKey, month: str | None, graph: Any, instance: dg.DagsterInstance
) -> Iterator[dg.EventLogRecord]:
    """The materializations of models, from an asset's partition on along the graph."""
    if asset == MODEL:
        wanted = dg.AssetRecordsFilter(MODEL, asset_partitions=[month] if month else None)
        yield from instance.fetch_materializations(wanted, limit=100).records
    for child in graph.get_children_partitions(asset, month):
        yield from models(child.asset_key, child.partition_key, graph, instance)


def observe(run: Any, assets: list[Any], months: tuple[str | None, str | None]) -> dict[str, Any]:
    def forward(month: str | None) -> list[str]:
        return sorted(str(facts(record)["of"]) for record in models(dg.AssetKey("source"), month, graph, instance))

    graph = dg.Definitions(assets).resolve_asset_graph()
    with dg.DagsterInstance.local_temp(overrides={"telemetry": {"enabled": False}}) as instance:
        ended = [run(window, instance) for window in (["2013-05", "2013-06"], ["2013-06", "2013-07"])]
        may, june = map(forward, months)
    return {
        "success": all(ended),
        "both": june == ["2013-05 and 2013-06", "2013-06 and 2013-07"],
        "only": may == ["2013-05 and 2013-06"],
        "forward": len(may) == 1,
        "june": june,
        "may": may,
        "read": len(may),
    }


def test_l2_forward_from_a_file(scenario: Scenario) -> None:
    plain = observe(run_obvious, [SOURCE, features_obvious, model_obvious], (None, None))
    told = observe(run_idiom, [source, features_idiom, model_idiom], ("2013-05", "2013-06"))
    scenario.obvious(features_obvious.op, model_obvious.op, run_obvious, **plain)
    scenario.idiom(source.op, features_idiom.op, model_idiom.op, run_idiom, **told)
    scenario.finding(
        f"The asset graph leads from May's partition to {len(told['may'])} model and from June's to "
        f"{len(told['june'])}, as the mapping of partitions says which months a model is made from; without partitions "
        f"every file leads to all {len(plain['may'])}. The record of a model holds one hash over its source "
        f"partitions: it is the declared mapping that is followed, and not what the run has read."
    )
