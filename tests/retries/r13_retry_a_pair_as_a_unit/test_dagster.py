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


RETRY_ALL = {"dagster/retry_strategy": "ALL_STEPS", "dagster/retry_on_asset_or_op_failure": "true"}
r13_idiom = dg.define_asset_job("r13_idiom", [model, scores], executor_def=dg.in_process_executor, tags=RETRY_ALL)
LIVE = dg.Definitions([model, scores], jobs=[r13_obvious, r13_idiom])


def observe(chains: dict[str, list[dg.DagsterRun]], tried: Counter[str], fit: str, score: str) -> dict[str, Any]:
    fits, scorings = ({item: tried[step.format(item)] for item in ITEMS} for step in (fit, score))
    ended_well = all(chain[-1].is_success for chain in chains.values())
    return {
        "success": ended_well,
        "pair_retried": fits["JFK"] == scorings["JFK"] == 2 and ended_well,
        "others_left_alone": all(runs[item] == 1 for runs in (fits, scorings) for item in ("EWR", "LGA")),
        "still_two_records": fits["JFK"] > 0 and scorings["JFK"] > 0,
        "runs_of_fit": fits,
        "runs_of_score": scorings,
    }


@pytest.mark.live
def test_r13_retry_a_pair_as_a_unit(live: Engine, tmp_path: Path, scenario: Scenario) -> None:
    run = live.wait(live.start("r13_obvious", tags={"folder": str(tmp_path)}))
    obvious = observe({"all": [run]}, Counter(attempts(live.instance, run.run_id)), "fit[{}]", "score[{}]")
    scenario.obvious(fit, score, r13_obvious, unit="a step", **obvious)

    chains, tried = {}, Counter[str]()
    (tmp_path / "idiom").mkdir()
    for item in ITEMS:  # as a backfill of the three partitions does
        tags = {"folder": str(tmp_path / "idiom"), "dagster/partition": item}
        chains[item] = [live.wait(live.start("r13_idiom", tags=tags))]
        if chains[item][0].status == dg.DagsterRunStatus.FAILURE:
            chains[item].append(live.wait(live.retry(chains[item][0].run_id)))
        for run_of_item in chains[item]:
            tried.update({f"{step} {item}": n for step, n in attempts(live.instance, run_of_item.run_id).items()})
    idiom = observe(chains, tried, "model {}", "scores {}")
    scenario.idiom(model.op, scores.op, unit=f"a run, by {', '.join(RETRY_ALL)}", **idiom)
    scenario.finding(
        f"Within a run Dagster retries a step without the step before it: score[JFK] read the broken file "
        f"{obvious['runs_of_score']['JFK']} times, and the run is {run.status.value}; as partitions with a run each, "
        f"fit and score of JFK ran {idiom['runs_of_fit']['JFK']} times together, and those of the others once."
    )
