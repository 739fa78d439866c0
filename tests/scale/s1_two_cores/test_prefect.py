"""Prefect's task runner has threads in the run's process, or processes."""

import os
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, task, unmapped
from prefect.task_runners import ProcessPoolTaskRunner

from tests.live import prefect
from tests.scale.s1_two_cores import NINE, Fit, answers, fit, let_go
from tests.scenario import Scenario

fit_task = task(fit, task_run_name="fit {number}")


@flow(persist_result=True)
def obvious(folder: str) -> list[int]:
    return fit_task.map(NINE, unmapped(folder)).result()


@flow(persist_result=True, task_runner=ProcessPoolTaskRunner(max_workers=os.cpu_count()))
def idiom(folder: str) -> list[int]:
    return fit_task.map(NINE, unmapped(folder)).result()


@pytest.mark.live
def test_s1_two_cores(tmp_path: Path, scenario: Scenario) -> None:
    threads, processes = observe(obvious, tmp_path / "threads"), observe(idiom, tmp_path / "processes")
    assert (threads["own_process"], threads["processes"]) == (False, 1)
    scenario.obvious(obvious, fit_task, **threads, limit="the task runner's max_workers: as good as none")
    scenario.idiom(idiom, fit_task, **processes, limit=f"the task runner's max_workers: {os.cpu_count()}")
    scenario.finding(
        f"The default task runner starts a thread in the run's process for each task: {threads['most_at_once']} of "
        f"nine fits were at work at once. ProcessPoolTaskRunner(max_workers={os.cpu_count()}) had "
        f"{processes['most_at_once']} at work, in {processes['processes']} processes that are used again."
    )


def observe(pipeline: Any, folder: Path) -> dict[str, bool | int]:
    folder.mkdir()
    run = prefect.start(pipeline, prefect.pool(), folder=str(folder))
    let_go(folder)
    end = prefect.wait(run)
    tasks = sorted(prefect.task_runs(run, len(NINE)), key=lambda task_run: task_run.name)
    times = [(task_run.start_time.timestamp(), task_run.end_time.timestamp()) for task_run in tasks]
    fits = [Fit(*at, pid) for at, pid in zip(times, end.result(), strict=True)]
    return {"success": end.is_completed(), **answers(fits)}
