"""Dagster's floor: a job of the pipeline's shape whose steps do nothing, run as `dagster_impl.run` runs its own."""

from typing import Any

import dagster as dg

from dagster_impl.home import instance

CANDIDATES = 9


@dg.asset
def batch() -> int:
    return CANDIDATES


@dg.asset
def validated_batch(batch: int) -> int:
    return batch


@dg.asset
def feature_table(validated_batch: int) -> int:
    return validated_batch


@dg.asset
def training_plan(feature_table: int) -> int:
    return feature_table


@dg.op(out=dg.DynamicOut(int))
def fan_out(training_plan: int):
    for n in range(training_plan):
        yield dg.DynamicOutput(n, mapping_key=str(n))


@dg.op
def train(candidate: int) -> int:
    return candidate


@dg.op
def fan_in(trained: Any) -> int:
    return len(trained)


@dg.graph_asset
def trained_candidates(training_plan: int) -> int:
    return fan_in(fan_out(training_plan).map(train).collect())


@dg.asset
def evaluation(trained_candidates: int) -> int:
    return trained_candidates


@dg.asset
def champion(evaluation: int) -> int:
    return evaluation


if __name__ == "__main__":
    from dagster_impl.defs.resources import JsonIOManager

    assets = [batch, validated_batch, feature_table, training_plan, trained_candidates, evaluation, champion]
    dg.materialize(assets, instance=instance(), resources={"io_manager": JsonIOManager()})
