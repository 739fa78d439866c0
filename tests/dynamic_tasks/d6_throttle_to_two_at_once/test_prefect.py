"""In Prefect a pool of two threads throttles its own run; the server keeps a limit on the tasks' tag over all runs."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import flow, task, unmapped
from prefect.task_runners import ThreadPoolTaskRunner

from tests.live import prefect
from tests.live.watch import until
from tests.scenario import Scenario

LONG = 400  # a server on SQLite that is busy may not take a place back before its lease of 60 s has run out


@task(task_run_name="work")
def work(number: int, seconds: int) -> int:
    time.sleep(seconds)
    return number


@flow(task_runner=ThreadPoolTaskRunner(max_workers=2))
def obvious(folder: str, runs: int = 1, seconds: int = 1) -> list[int]:
    meet(folder, runs)
    return work.map(range(4), unmapped(seconds)).result()


@flow
def idiom(folder: str, runs: int = 1, seconds: int = 1) -> list[int]:
    """The tag's limit is set once: `prefect concurrency-limit create scarce 2`."""
    meet(folder, runs)
    return work.with_options(tags=["scarce"]).map(range(4), unmapped(seconds)).result()


def meet(folder: str, runs: int) -> None:
    """Wait until so many runs are here, so that their tasks begin at the same time."""
    Path(folder, str(os.getpid())).touch()
    until(lambda: len(list(Path(folder).iterdir())) >= runs)


@pytest.mark.live
@pytest.mark.timeout(900)
def test_d6_throttle_to_two_at_once(tmp_path: Path, scenario: Scenario) -> None:
    prefect.server()
    with prefect.client() as api:
        api.create_concurrency_limit(tag="scarce", concurrency_limit=2)
    threads = observe(obvious, tmp_path / "obvious", "task runner with 2 threads")
    tag = observe(idiom, tmp_path / "idiom", "concurrency limit of the tag")

    assert (threads["most_in_a_run"], threads["most_over_both"]) == (2, 4)
    assert (tag["two_within_a_run"], tag["most_over_both"]) == (True, 2)
    assert 0 < tag["seconds"] < 120
    seconds = tag.pop("seconds")
    threads.pop("seconds")
    scenario.obvious(obvious, work, **threads)
    scenario.idiom(idiom, work, **tag)
    scenario.finding(
        f"A task runner with two threads throttles its own run: two runs had {threads['most_over_both']} at once. "
        f"With a limit on the tag they had {tag['most_over_both']}; a killed run's places come back when their lease "
        f"of 60 s has run out, {seconds} s after the kill that came in the middle of it."
    )


def observe(pipeline: Any, folder: Path, limit: str) -> dict[str, Any]:
    """Run two at once; then one that is killed while its tasks hold their places, which another run waits for."""
    folder.mkdir()
    pair = [prefect.start(pipeline, prefect.pool(), folder=str(folder), runs=2) for _ in range(2)]
    success = all([prefect.wait(run, seconds=LONG).is_completed() for run in pair])
    holder = prefect.start(pipeline, prefect.pool(), folder=str(folder), seconds=600)
    prefect.running(holder)
    waiter = prefect.start(pipeline, prefect.pool(), folder=str(folder))
    prefect.kill(prefect.pid(holder))
    killed = datetime.now(UTC)
    prefect.wait(waiter, seconds=LONG)
    begun = min(task_run.start_time for task_run in prefect.task_runs(waiter, 4))
    seconds = round((begun - killed).total_seconds(), 1)
    return {
        "success": success,
        "two_within_a_run": all(most_at_once(run) <= 2 for run in pair),
        "two_over_all_runs": most_at_once(*pair) <= 2,
        "place_comes_back": seconds < 120,
        "most_in_a_run": max(most_at_once(run) for run in pair),
        "most_over_both": most_at_once(*pair),
        "limit": limit,
        "seconds": seconds,
    }


def most_at_once(*runs: UUID) -> int:
    """How many of the runs' tasks were running at the same time, by start and end in the record."""
    tasks = [task_run for run in runs for task_run in prefect.task_runs(run, 4)]
    return max(sum(a.start_time <= b.start_time < a.end_time for a in tasks) for b in tasks)
