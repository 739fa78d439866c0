"""Dagster: the name of a mapped step has no slash; the key of a partition, which is a run of its own, may have one."""

from typing import Any

import dagster as dg
import pytest

from dagster_impl.defs.assets import mapping_key
from dagster_impl.defs.resources import SettingsResource
from dagster_impl.record import last_stats, result
from shared.contracts import Plan, Trained
from shared.settings import Settings
from shared.stages.train import train
from tests.live.dagster import Engine, Pipeline
from tests.scenario import Scenario

NAME, SIBLING = "EWR/logistic", "EWR/boosting20"
CANDIDATES = dg.DynamicPartitionsDefinition(name="d7_candidate")

LOG = """query ($run: ID!) {
  logsForRun(runId: $run) { ... on EventConnection { events { ... on MessageEvent { stepKey message } } } }
}"""
RUNS = """query ($tags: [ExecutionTag!]) {
  runsOrError(filter: {tags: $tags}) { ... on Runs { results { runId tags { key value } } } }
}"""


@dg.asset(name="d7_model", partitions_def=CANDIDATES)
def model(
    context: dg.AssetExecutionContext, planned: dg.ResourceParam[Plan], settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult[Trained]:
    (candidate,) = [candidate for candidate in planned.candidates if candidate.key == context.partition_key]
    return dg.MaterializeResult(value=train(candidate, planned, settings))


def named_in_log(live: Engine, run_id: str) -> list[str]:
    """The steps whose messages hold the name: the filter above the log in a run's page looks at these."""
    events = live.query(LOG, run=run_id)["logsForRun"]["events"]
    steps = {event.get("stepKey") or "" for event in events if f"{NAME}:" in event.get("message", "")}
    return sorted(steps)


def partitions(live: Engine) -> list[str]:
    """The partitions of the runs that the filter of the runs' page finds for this one."""
    tags = [{"key": "dagster/partition", "value": NAME}]
    runs: list[Any] = live.query(RUNS, tags=tags)["runsOrError"]["results"]
    return [tag["value"] for run in runs for tag in run["tags"] if tag["key"] == "dagster/partition"]


@pytest.mark.live
def test_d7_found_by_name(live: Engine, pipeline: Pipeline, scenario: Scenario) -> None:
    settings = pipeline.settings()
    config = dg.RunConfig(resources={"settings": SettingsResource.from_settings(settings)})
    run = pipeline.job.execute_in_process(config, live.instance, tags={"dagster/partition": "2013-06"})
    found = named_in_log(live, run.run_id)
    assert found == ["trained_candidates.train[EWR__logistic]"]
    step = found[0].partition(".")[2]
    scenario.obvious(
        mapping_key,
        success=run.success,
        named=step == f"train[{NAME}]",
        found_by_name=len(found) == 1,
        name=step,
        found=len(found),
    )

    planned = result(last_stats(run.dagster_run, live.instance), "training_plan", Plan)
    live.instance.add_dynamic_partitions("d7_candidate", [NAME, SIBLING])
    runs = [
        dg.materialize(
            [model], instance=live.instance, partition_key=key, resources={"planned": planned, "settings": settings}
        )
        for key in (NAME, SIBLING)
    ]
    keys = partitions(live)
    assert keys == [NAME]
    scenario.idiom(
        model,
        success=all(each.success for each in runs),
        named=keys[0] == NAME,
        found_by_name=len(keys) == 1,
        name=keys[0],
        found=len(keys),
    )
    scenario.finding(
        f"The step is called {step}, as a mapping key has letters, digits and underscores only; its log has the name "
        f"{NAME}, and the filter of the run's page finds it there. With a partition for each candidate, each has a run "
        f"of its own, which bears the name {keys[0]} and is found by it."
    )
