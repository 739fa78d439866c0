"""Dagster: a dead step is repeated alone; after the run's death the default retry loses candidates."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tests.live.dagster import FORKSERVER, Engine, attempts
from tests.scenario import Scenario

CANDIDATES = ("EWR", "JFK", "LGA", "BOS")
TWO_AT_A_TIME = dg.multiprocess_executor.configured({"max_concurrent": 2, **FORKSERVER})


@dg.op(out=dg.DynamicOut())
def candidates() -> Iterator[dg.DynamicOutput[str]]:
    for name in CANDIDATES:
        yield dg.DynamicOutput(name, mapping_key=name)


@dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
def train(context: dg.OpExecutionContext, name: str) -> str:
    while name != "EWR" and not Path(context.run.tags["go"]).exists():  # the first is done, the fourth has not begun
        time.sleep(0.1)
    return name


@dg.op
def gather(context: dg.OpExecutionContext, trained: list[str]) -> list[str]:
    context.add_output_metadata({"results": sorted(trained)})
    return trained


@dg.job(executor_def=TWO_AT_A_TIME)
def r7_obvious() -> None:
    gather(candidates().map(train).collect())


@dg.graph_asset(name="r7_trained_candidates")
def trained_candidates() -> list[str]:
    return gather(candidates().map(train).collect())


r7_idiom = dg.define_asset_job(
    "r7_idiom", [trained_candidates], executor_def=TWO_AT_A_TIME, tags={"dagster/retry_strategy": "FROM_ASSET_FAILURE"}
)
LIVE = dg.Definitions([trained_candidates], jobs=[r7_obvious, r7_idiom])


def observe(live: Engine, job: str, prefix: str, folder: Path) -> dict[str, Any]:
    go = {which: folder / f"{job} {which}" for which in ("task", "run")}
    runs = {which: [live.start(job, tags={"go": str(path)})] for which, path in go.items()}
    for (run_id,) in runs.values():  # the second and the third wait
        live.event(run_id, dg.DagsterEventType.STEP_SUCCESS, f"{prefix}train[EWR]")
        live.event(run_id, dg.DagsterEventType.STEP_START, f"{prefix}train[LGA]")
    live.kill(live.pid(runs["task"][0], f"{prefix}train[JFK]"))
    live.kill(live.pid(runs["run"][0]))
    live.event(runs["task"][0], dg.DagsterEventType.STEP_UP_FOR_RETRY)
    runs["run"].append(live.retry(runs["run"][0]))
    for path in go.values():
        path.touch()
    ended = {which: live.wait(chain[-1]) for which, chain in runs.items()}
    tried: dict[str, Counter[str]] = {}
    results: dict[str, Any] = {}
    for which, chain in runs.items():
        tried[which] = sum((Counter(attempts(live.instance, run_id)) for run_id in chain), Counter())
        gathered = live.event(chain[-1], dg.DagsterEventType.STEP_OUTPUT, f"{prefix}gather").dagster_event
        results[which] = gathered.step_output_data.metadata["results"].value
    (_, group) = live.instance.get_run_group(runs["run"][0])
    counts = {which: {name: tried[which][f"{prefix}train[{name}]"] for name in CANDIDATES} for which in runs}
    return {
        "success": all(run.is_success for run in ended.values()),
        "none_lost_after_task_kill": len(results["task"]) == len(CANDIDATES),
        "none_lost_after_run_kill": len(results["run"]) == len(CANDIDATES),
        "finished_not_repeated": all(count["EWR"] == 1 for count in counts.values()),
        "results": results,
        "attempts": counts,
        "retried_by": {
            "task": f"RetryPolicy, {counts['task']['JFK'] - 1} time",
            "run": f"run retries of the daemon, {len(list(group)) - 1} time",
        },
    }


@pytest.mark.live
def test_r7_killed_in_mid_fan_out(live: Engine, tmp_path: Path, scenario: Scenario) -> None:
    obvious = observe(live, "r7_obvious", "", tmp_path)
    idiom = observe(live, "r7_idiom", "r7_trained_candidates.", tmp_path)
    scenario.obvious(candidates, train, gather, r7_obvious, **obvious)
    scenario.idiom(candidates, train, gather, trained_candidates.node_def, **idiom)
    scenario.finding(
        "When a candidate's process dies, only that candidate is run again. When the run's process dies, the daemon's "
        f"retry, from failure by default, is a success with {len(obvious['results']['run'])} of {len(CANDIDATES)} "
        "results: the candidate that had not begun is lost. As a graph asset with the retry strategy "
        f"FROM_ASSET_FAILURE it has {len(idiom['results']['run'])} results, and all candidates are trained again."
    )
