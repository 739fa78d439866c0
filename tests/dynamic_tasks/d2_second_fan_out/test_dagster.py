"""Dagster: a map goes on into a map, also of groups; a fan-out inside a fan-out takes a partition for each item."""

from collections import Counter
from collections.abc import Iterator

import dagster as dg
import pytest

from tests.live.dagster import SCENARIOS, Engine, states
from tests.live.watch import until
from tests.scenario import Scenario

WIDTHS = {"EWR": 0, "JFK": 1, "LGA": 2}


@dg.op(out=dg.DynamicOut())
def d2_origins() -> Iterator[dg.DynamicOutput[str]]:
    for origin in WIDTHS:
        yield dg.DynamicOutput(origin, mapping_key=origin)


@dg.op
def d2_fit(item: str) -> str:
    return item


@dg.op
def d2_score(item: str) -> str:
    return item


@dg.graph
def group(item: str) -> str:
    return d2_score(d2_fit(item))


@dg.job
def obvious() -> None:
    d2_origins().map(d2_fit.alias("clean")).map(group)


@dg.op(out=dg.DynamicOut())
def d2_folds(origin: str) -> Iterator[dg.DynamicOutput[str]]:
    for number in range(WIDTHS[origin]):
        yield dg.DynamicOutput(f"{origin}-{number}", mapping_key=str(number))


def nested() -> None:
    d2_origins().map(d2_folds).map(d2_fit)


ORIGINS = dg.DynamicPartitionsDefinition(name="d2_origin")


@dg.asset(name="d2_split")
def split(context: dg.AssetExecutionContext) -> None:
    context.instance.add_dynamic_partitions("d2_origin", list(WIDTHS))


@dg.op(out=dg.DynamicOut())
def d2_folds_of_partition(context: dg.OpExecutionContext) -> Iterator[dg.DynamicOutput[str]]:
    for number in range(WIDTHS[context.partition_key]):
        yield dg.DynamicOutput(context.partition_key, mapping_key=str(number))


@dg.op
def d2_gather(scores: list[str]) -> list[str]:
    return scores


@dg.graph_asset(name="d2_model", partitions_def=ORIGINS)
def model() -> list[str]:
    return d2_gather(d2_folds_of_partition().map(d2_fit).map(d2_score).collect())


in_process = dg.in_process_executor
split_job = dg.define_asset_job("d2_split_job", [split], executor_def=in_process)
model_job = dg.define_asset_job("d2_model_job", [model], executor_def=in_process)


@dg.run_status_sensor(
    dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[split_job],
    request_job=model_job,
    minimum_interval_seconds=1,
)
def d2_one_run_an_origin(context: dg.RunStatusSensorContext) -> Iterator[dg.RunRequest]:
    for origin in context.instance.get_dynamic_partitions("d2_origin"):
        yield dg.RunRequest(partition_key=origin, tags={"split_by": context.dagster_run.run_id})


def count(steps: dict[str, str]) -> dict[str, int]:
    """How many instances each mapped op has."""
    return dict(Counter(step.split("[")[0] for step in steps if "[" in step))


@pytest.mark.live
def test_d2_second_fan_out(live: Engine, instance: dg.DagsterInstance, scenario: Scenario) -> None:
    result = obvious.execute_in_process(instance=instance)
    mapped = count(states(instance, result.run_id))
    assert mapped == {"clean": 3, "group.d2_fit": 3, "group.d2_score": 3}
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="more than one dynamic output") as refusal:
        dg.job(nested)
    scenario.obvious(
        group,
        obvious,
        success=result.success,
        map_after_map=mapped["clean"] == mapped["group.d2_fit"] == len(WIDTHS),
        group_for_each_item=mapped["group.d2_fit"] == mapped["group.d2_score"] == len(WIDTHS),
        nested_fan_out=not refusal.type,
        instances=mapped,
        nested_state=refusal.type.__name__,
    )

    with live.sensor(SCENARIOS, "d2", "d2_one_run_an_origin"):
        started = live.start("d2_split_job")
        requested = dg.RunsFilter(tags={"split_by": started})
        until(lambda: [run.is_finished for run in live.instance.get_runs(requested)] == [True] * len(WIDTHS))
    runs = {run.tags["dagster/partition"]: run for run in live.instance.get_runs(requested)}
    steps = {origin: count(states(live.instance, run.run_id)) for origin, run in runs.items()}
    widths = {origin: steps[origin].get("d2_model.d2_fit", 0) for origin in sorted(steps)}
    scored = {origin: steps[origin].get("d2_model.d2_score", 0) for origin in sorted(steps)}
    assert widths == scored == WIDTHS
    run_states = {run.status.value for run in runs.values()}
    scenario.idiom(
        split,
        d2_folds_of_partition,
        model,
        success=run_states == {"SUCCESS"},
        map_after_map=widths == scored,
        group_for_each_item=set(runs) == set(WIDTHS),
        nested_fan_out=widths == WIDTHS,
        instances=widths,
        nested_state=", ".join(sorted(run_states)),
    )
    scenario.finding(
        f"A map follows a map, and a graph of ops is mapped as a group; but a fan-out within a fan-out is refused when "
        f"it is defined, with {refusal.type.__name__}. In its place each item is a dynamic partition with a run of its "
        f"own, which a sensor requests: the {len(runs)} runs fanned out to {', '.join(map(str, widths.values()))} "
        f"steps."
    )


LIVE = dg.Definitions(assets=[split, model], jobs=[split_job, model_job], sensors=[d2_one_run_an_origin])
