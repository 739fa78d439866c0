"""Dagster's multiprocess executor runs each step in a process of its own, as many at once as there are cores."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from tests.live.dagster import FORKSERVER, Engine
from tests.scale.s1_two_cores import NINE, Fit, answers, fit, let_go
from tests.scenario import Scenario


@dg.op(out=dg.DynamicOut())
def s1_items() -> Iterator[dg.DynamicOutput[int]]:
    for number in NINE:
        yield dg.DynamicOutput(number, mapping_key=str(number))


@dg.op
def s1_fit(context: dg.OpExecutionContext, number: int) -> None:
    context.add_output_metadata({"pid": fit(number, context.run.tags["folder"])})


@dg.job(executor_def=dg.multiprocess_executor.configured(FORKSERVER))
def s1_obvious() -> None:
    s1_items().map(s1_fit)


LIVE = dg.Definitions(jobs=[s1_obvious])


@pytest.mark.live
def test_s1_two_cores(live: Engine, tmp_path: Path, scenario: Scenario) -> None:
    folder = tmp_path / "fits"
    folder.mkdir()
    run_id = live.start("s1_obvious", tags={"folder": str(folder)})
    let_go(folder)
    success = live.wait(run_id, 240).is_success
    steps = {step.step_key: step for step in live.instance.get_run_step_stats(run_id)}
    outputs = live.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_OUTPUT)
    pids = {each.step_key: each.dagster_event.step_output_data.metadata.get("pid") for each in outputs}
    seen = answers([Fit(steps[key].start_time, steps[key].end_time, pid.value) for key, pid in pids.items() if pid])
    assert seen["own_process"]
    scenario.obvious(
        s1_obvious, s1_fit, success=success, **seen, limit="the executor's max_concurrent: the number of cores"
    )
    scenario.finding(
        f"The multiprocess executor, which runs launched jobs by default, had {seen['most_at_once']} of nine fits at "
        f"work at once, as many as there are cores, each in a process of its own."
    )
