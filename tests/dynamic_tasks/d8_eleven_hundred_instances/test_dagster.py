"""Dagster: 1,100 mapped steps run like 11; nothing limits their number."""

from collections.abc import Iterator

import dagster as dg
import pytest

from tests.live.dagster import states
from tests.scenario import Scenario

N = 1100


@dg.op(out=dg.DynamicOut())
def items() -> Iterator[dg.DynamicOutput[int]]:
    for number in range(N):
        yield dg.DynamicOutput(number, mapping_key=str(number))


@dg.op
def double(number: int) -> int:
    return 2 * number


@dg.op
def count(doubled: list[int]) -> int:
    return len(doubled)


@dg.job(executor_def=dg.in_process_executor)
def obvious() -> None:
    count(items().map(double).collect())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_d8_eleven_hundred_instances(scenario: Scenario) -> None:
    instance = dg.DagsterInstance.ephemeral()  # keeps 1,100 steps in memory, where a file takes minutes
    result = obvious.execute_in_process(instance=instance)
    record = instance.get_run_record_by_id(result.run_id)
    steps = states(instance, result.run_id)
    instances = [state for step, state in steps.items() if step.startswith("double[")]
    gathered = result.output_for_node("count")
    assert (len(instances), gathered) == (N, N)
    seconds = round(record.end_time - record.start_time, 1)
    scenario.obvious(
        items,
        double,
        count,
        obvious,
        success=record.dagster_run.is_success,
        all_run=instances == ["SUCCESS"] * N,
        fan_in_gets_all=gathered == N,
        run_state=record.dagster_run.status.value,
        instances=len(instances),
        limit="none",
        seconds=seconds,
    )
    scenario.finding(
        f"All {len(instances):,} steps run in one process and the fan-in gets {gathered:,} results: Dagster sets no "
        f"limit. (The run's record is in memory here; in SQLite, where it is else, it takes longer.) "
        "(The multiprocess executor, which runs launched jobs by default, starts a process for each step.)"
    )
