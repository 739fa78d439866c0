"""Dagster: retries belong to a step or to a run, so a pair that is to be retried as a unit needs a run of its own."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tests.live.dagster import Engine, attempts
from tests.scenario import Scenario

ITEMS = ("EWR", "JFK", "LGA")


def fit_model(file: Path) -> None:
    first_time = not file.exists()
    file.write_text("broken" if first_time and file.name == "JFK" else "model")


def score_model(file: Path) -> None:
    if file.read_text() == "broken":
        raise ValueError(f"{file.name} is broken")


@dg.op(out=dg.DynamicOut())
def items() -> Iterator[dg.DynamicOutput[str]]:
    for item in ITEMS:
        yield dg.DynamicOutput(item, mapping_key=item)


@dg.op
def fit(context: dg.OpExecutionContext, item: str) -> str:
    fit_model(Path(context.run.tags["folder"], item))
    return item


@dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
def score(context: dg.OpExecutionContext, item: str) -> None:
    score_model(Path(context.run.tags["folder"], item))


@dg.job(executor_def=dg.in_process_executor)
def r13_obvious() -> None:
    items().map(fit).map(score)


MODELS = dg.StaticPartitionsDefinition(ITEMS)


@dg.asset(partitions_def=MODELS)
def model(context: dg.AssetExecutionContext) -> None:
    fit_model(Path(context.run.tags["folder"], context.partition_key))


@dg.asset(partitions_def=MODELS, deps=[model])
def scores(context: dg.AssetExecutionContext) -> None:
    score_model(Path(context.run.tags["folder"], context.partition_key))


RETRY_ALL = {
    "dagster/max_retries": "1",
    "dagster/retry_strategy": "ALL_STEPS",
    "dagster/retry_on_asset_or_op_failure": "true",
}
r13_idiom = dg.define_asset_job("r13_idiom", [model, scores], executor_def=dg.in_process_executor, tags=RETRY_ALL)
LIVE = dg.Definitions([model, scores], jobs=[r13_obvious, r13_idiom])


def answers(fits: dict[str, int], scorings: dict[str, int], last_ended_well: bool, records: int) -> dict[str, Any]:
    return {
        "pair_retried": fits["JFK"] == scorings["JFK"] == 2 and last_ended_well,
        "others_left_alone": all(runs[item] == 1 for runs in (fits, scorings) for item in ("EWR", "LGA")),
        "still_two_records": records == 2,
        "runs_of_fit": fits,
        "runs_of_score": scorings,
    }


@pytest.mark.live
def test_r13_retry_a_pair_as_a_unit(live: Engine, tmp_path: Path, scenario: Scenario) -> None:
    folders = {job: tmp_path / job for job in ("r13_obvious", "r13_idiom")}
    for folder in folders.values():
        folder.mkdir()
    run = live.wait(live.start("r13_obvious", tags={"folder": str(folders["r13_obvious"])}))
    tried = attempts(live.instance, run.run_id)
    fits, scorings = ({item: tried[f"{step}[{item}]"] for item in ITEMS} for step in ("fit", "score"))
    pair = {step for step in tried if step.endswith("[JFK]")}
    scenario.obvious(
        fit, score, r13_obvious,
        success=run.is_success,
        unit="a step",
        **answers(fits, scorings, run.is_success, len(pair)),
    )  # fmt: skip

    runs = {}
    for item in ITEMS:  # as a backfill of the three partitions does
        tags = {"folder": str(folders["r13_idiom"]), "dagster/partition": item}
        runs[item] = [live.wait(live.start("r13_idiom", tags=tags))]
    while live.run(runs["JFK"][-1].run_id).tags.get("dagster/will_retry") == "true":
        runs["JFK"].append(live.wait(live.retry(runs["JFK"][-1].run_id)))
    counts = {
        item: sum((Counter(attempts(live.instance, run.run_id)) for run in chain), Counter())
        for item, chain in runs.items()
    }
    fits, scorings = ({item: counts[item][step] for item in ITEMS} for step in ("model", "scores"))
    ended_well = all(chain[-1].is_success for chain in runs.values())
    scenario.idiom(
        model.op, scores.op,
        success=ended_well,
        unit=f"a run, by {', '.join(RETRY_ALL)}",
        **answers(fits, scorings, ended_well, len(counts["JFK"])),
    )  # fmt: skip
    scenario.finding(
        f"Within a run Dagster retries a step and not the step before it: score[JFK] read the broken file "
        f"{tried['score[JFK]']} times, and the run is {run.status.value}; as partitions with a run each, fit and score "
        f"of JFK ran {len(runs['JFK'])} times together, and those of the others once."
    )
