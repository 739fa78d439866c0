"""Dagster: the executor's `max_concurrent` holds for one run, a pool's limit for all runs of the instance."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tests.live.dagster import FORKSERVER, Engine
from tests.live.watch import until
from tests.scenario import Scenario

POOL, LIMIT = "d6_trainers", 2


@dg.op(out=dg.DynamicOut())
def d6_items() -> Iterator[dg.DynamicOutput[int]]:
    for number in range(4):
        yield dg.DynamicOutput(number, mapping_key=str(number))


def work(context: dg.OpExecutionContext) -> None:
    """One second, begun only when the test has seen both runs at work: a short task might meet no other by chance."""
    while not Path(context.run.tags["go"]).exists():
        time.sleep(0.1)
    time.sleep(1)


@dg.op
def d6_train(context: dg.OpExecutionContext, number: int) -> None:
    work(context)


@dg.job(executor_def=dg.multiprocess_executor.configured({"max_concurrent": LIMIT, **FORKSERVER}))
def d6_obvious() -> None:
    d6_items().map(d6_train)


@dg.op(pool=POOL)  # its limit: `dagster instance concurrency set d6_trainers 2`
def d6_train_in_pool(context: dg.OpExecutionContext, number: int) -> None:
    work(context)


@dg.job(executor_def=dg.multiprocess_executor.configured({"max_concurrent": 4, **FORKSERVER}))
def d6_idiom() -> None:
    d6_items().map(d6_train_in_pool)


def started(live: Engine, run_id: str) -> list[str]:
    """The tasks of the run that have started, in this order."""
    entries = live.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_START)
    return [str(entry.step_key) for entry in entries if "d6_train" in str(entry.step_key)]


def waits_for_pool(live: Engine, run_id: str) -> bool:
    entries = live.instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    return any(f"pool {POOL}" in entry.message for entry in entries)


def most_at_once(live: Engine, *run_ids: str) -> int:
    """From the tasks' recorded starts and ends."""
    stats = [step for run_id in run_ids for step in live.instance.get_run_step_stats(run_id)]
    tasks = [(step.start_time, step.end_time) for step in stats if "d6_train" in step.step_key]
    assert len(tasks) == 4 * len(run_ids)
    return max(sum(start <= moment < end for start, end in tasks) for moment, _ in tasks)


def observe(live: Engine, job: str, folder: Path) -> dict[str, Any]:
    go = {name: str(folder / f"{job} {name}") for name in ("pair", "killed")}
    pair = [live.start(job, tags={"go": go["pair"]}) for _ in range(2)]
    until(lambda: all(len(started(live, run_id)) == LIMIT or waits_for_pool(live, run_id) for run_id in pair), 240)
    Path(go["pair"]).touch()
    succeeded = all(live.wait(run_id, 240).is_success for run_id in pair)

    killed = live.start(job, tags={"go": go["killed"], "dagster/max_retries": "0"})
    first, _ = until(lambda: found if len(found := started(live, killed)) == LIMIT else None)
    at = live.kill(live.pid(killed, first))
    until(lambda: len(started(live, killed)) > LIMIT)
    third = live.event(killed, dg.DagsterEventType.STEP_START, started(live, killed)[LIMIT])
    Path(go["killed"]).touch()
    live.wait(killed, 240)
    in_a_run, over_both = max(most_at_once(live, run_id) for run_id in pair), most_at_once(live, *pair)
    return {
        "success": succeeded,
        "two_within_a_run": in_a_run <= LIMIT,
        "two_over_all_runs": over_both <= LIMIT,
        "place_comes_back": third.timestamp - at < 120,
        "most_in_a_run": in_a_run,
        "most_over_both": over_both,
    }


@pytest.mark.live
@pytest.mark.timeout(900)
def test_d6_throttle_to_two_at_once(live: Engine, tmp_path: Path, scenario: Scenario) -> None:
    live.instance.event_log_storage.set_concurrency_slots(POOL, LIMIT)
    first, second = observe(live, "d6_obvious", tmp_path), observe(live, "d6_idiom", tmp_path)
    assert (first["most_in_a_run"], first["most_over_both"], second["most_over_both"]) == (2, 4, 2)
    scenario.obvious(d6_train, d6_obvious, **first, limit="max_concurrent of the multiprocess executor")
    scenario.idiom(d6_train_in_pool, d6_idiom, **second, limit="pool")
    scenario.finding(
        f"The executor's max_concurrent lets {first['most_in_a_run']} work at once in each run, so "
        f"{first['most_over_both']} in two; a pool whose limit stands in the instance lets {second['most_over_both']} "
        "work over both runs. The place of a task whose process was killed goes to the next one."
    )


LIVE = dg.Definitions(jobs=[d6_obvious, d6_idiom])
